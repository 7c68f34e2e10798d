"""Graph.compile: C where there is a compiler, the interpreter elsewhere, the same integers from both."""

from __future__ import annotations

import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgekws.errors import ArtifactError, BoardError, ConfigError
from edgekws.files import cache_folder
from edgekws.graph import executor, interp, io
from edgekws.graph.ir import Graph
from firmware_io.build import host_cc
from tests.conftest import random_graph

Features = Callable[..., np.ndarray]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "edgekws" / "host"


@pytest.fixture
def no_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    executor._warn.cache_clear()


@pytest.mark.parametrize("engine", [None, "c", "interp"])
def test_engines_equal_the_interpreter(engine: str | None, graph: Graph, random_features: Features) -> None:
    compiled = graph.compile(engine)
    assert compiled.engine == (engine or "c")
    for count in (0, 1, 9):
        features = random_features(count)
        np.testing.assert_array_equal(compiled(features), interp.run(graph, features))
    np.testing.assert_array_equal(compiled(features[::-2]), interp.run(graph, features[::-2]))
    for dtype in (np.int64, np.int16):
        np.testing.assert_array_equal(compiled(features.astype(dtype)), graph.run(features.astype(dtype)))
    for wrong in (np.full((1, 49, 10), 128), np.zeros((1, 49, 10)), np.zeros((49, 10), np.int8)):
        with pytest.raises(ArtifactError, match="int8"):
            compiled(wrong)


def test_an_unknown_engine_is_refused_with_a_list(graph: Graph) -> None:
    with pytest.raises(ConfigError, match="c, interp"):
        graph.compile("java")


def test_the_second_time_nothing_is_compiled(graph: Graph, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graph.compile("c")
    (kept,) = cache.iterdir()
    monkeypatch.setattr(host_cc, "_built", pytest.fail)
    graph.compile("c")
    assert list(cache.iterdir()) == [kept]


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda b: b[:-100], marks=pytest.mark.slow),
        lambda b: b[:3000] + b"!" + b[3001:],
        pytest.param(lambda _: b"", marks=pytest.mark.slow),
    ],
    ids=["shorter", "a byte", "empty"],
)
def test_a_damaged_library_is_built_again(
    damage: Callable[[bytes], bytes], graph: Graph, cache: Path, random_features: Features
) -> None:
    graph.compile("c")
    (kept,) = cache.iterdir()
    whole = kept.read_bytes()
    kept.unlink()  # the loaded library stays valid
    kept.write_bytes(damage(whole))
    features = random_features(3)
    np.testing.assert_array_equal(graph.compile("c")(features), interp.run(graph, features))
    assert kept.read_bytes() == whole


def test_other_weights_and_another_compiler_are_other_libraries(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    random_graph(1).compile("c")
    random_graph(2).compile("c")
    assert len(list(cache.iterdir())) == 2
    defines = host_cc._defines
    monkeypatch.setattr(host_cc, "_defines", lambda *about: defines(*about) + b"#define __VERSION__ 99\n")
    random_graph(2).compile("c")
    assert len({path.name[:32] for path in cache.iterdir()}) == 3


def test_a_full_cache_evicts_the_least_recently_used(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_cc, "MAX_CACHED", 2)
    for seed in (1, 2, 1, 3):
        random_graph(seed).compile("c")
    monkeypatch.setattr(host_cc, "_built", pytest.fail)
    random_graph(1).compile("c"), random_graph(3).compile("c")
    assert len(list(cache.iterdir())) == 2


def test_without_a_compiler_the_interpreter_runs_and_says_so_once(
    no_compiler: None, graph: Graph, random_features: Features
) -> None:
    with pytest.warns(RuntimeWarning, match=r"interpreter, which is slow: .* needs cc"):
        compiled = graph.compile()
    features = random_features(2)
    np.testing.assert_array_equal(compiled(features), interp.run(graph, features))
    assert compiled.engine == "interp"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert graph.compile().engine == "interp"
    with pytest.raises(BoardError, match="needs cc"):
        graph.compile("c")


def test_a_cache_that_cannot_be_written_is_not_used(
    graph: Graph, random_features: Features, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    features = random_features(2)
    np.testing.assert_array_equal(graph.compile("c")(features), interp.run(graph, features))


def test_where_the_cache_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", "/home/somebody")
    assert cache_folder() == Path("/home/somebody/.cache/edgekws")
    monkeypatch.setenv("XDG_CACHE_HOME", "/var/caches")
    assert cache_folder() == Path("/var/caches/edgekws")


COMPILES = """
import sys, numpy as np
from pathlib import Path
from edgekws.graph import executor, interp, io
graph = io.load(Path(sys.argv[1]))
x = np.random.default_rng(0).integers(-128, 128, (4, 49, 10)).astype(np.int8)
assert np.array_equal(graph.compile("c")(x), interp.run(graph, x))
"""


@pytest.mark.slow
def test_two_processes_compile_the_same_at_once(graph: Graph, cache: Path, tmp_path: Path) -> None:
    io.save(graph, tmp_path / "graph.npz")
    line = [sys.executable, "-c", COMPILES, str(tmp_path / "graph.npz")]
    running = [subprocess.Popen(line) for _ in range(2)]
    assert [process.wait() for process in running] == [0, 0]
    assert len(list(cache.glob("*.so"))) == 1 and not list(cache.glob("*.partial"))


def test_threads_share_a_library(graph: Graph, random_features: Features) -> None:
    """One arena for all: calls must take turns."""
    features, scores = [random_features(400, seed) for seed in range(4)], dict[int, np.ndarray]()

    def work(number: int) -> None:
        scores[number] = graph.compile("c")(features[number])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(4):
        np.testing.assert_array_equal(scores[number], interp.run(graph, features[number]))
