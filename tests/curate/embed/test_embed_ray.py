"""The same bytes from a cluster (here: of one computer) as from this process, from any number of shards."""

from dataclasses import replace
from pathlib import Path

import pytest

from edgekws.curate import embed
from edgekws.curate.embed import runner
from edgekws.errors import ConfigError

ray = pytest.importorskip("ray")


@pytest.fixture(scope="module", autouse=True)
def cluster():
    """One for all tests: it takes seconds to start."""
    ray.init(num_cpus=2, include_dashboard=False, object_store_memory=128 << 20, log_to_driver=False)
    yield
    ray.shutdown()


@pytest.fixture
def request_of(words, module, tmp_path):
    spec = embed.ModelSpec(module())

    def make(out, **changes):
        return replace(embed.Request(words, tmp_path / out, spec, workers=1), **changes)

    return make


def contents(out):
    return {path.name: path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}


@pytest.mark.parametrize(
    "clips",
    [pytest.param(1, marks=pytest.mark.slow), pytest.param(2, marks=pytest.mark.slow), 7],
    ids="{}-a-shard".format,
)
def test_ray_writes_the_same_bytes(request_of, monkeypatch, clips):
    monkeypatch.setattr(runner, "SHARD_CLIPS", clips)
    settings = embed.Settings(batch=1)
    for engine, workers in (("process", 1), ("ray", 2)):
        result = embed.run(request_of(engine, workers=workers, engine=engine, settings=settings))
        assert result.clips == 12
    assert contents(request_of("process").out) == contents(request_of("ray").out)


def test_running_workers_reload_a_changed_model(request_of):
    first = embed.run(request_of("first", engine="ray", workers=2))
    path = Path(request_of("first").model.name)
    path.write_text(path.read_text().replace("audio.mean(-1)", "2 * audio.mean(-1)"))
    own = embed.run(request_of("own"))
    second = embed.run(request_of("second", engine="ray", workers=2))
    assert contents(second.folder) == contents(own.folder)
    assert contents(second.folder)["up.parquet"] != contents(first.folder)["up.parquet"]


def test_a_model_that_breaks_its_contract_is_named(request_of, module):
    path = module(("return features(audio)", "return features(audio)[:, :2]"), name="narrow")
    with pytest.raises(ConfigError, match=r"should give float32 \[4, 3\]\. Got: float32 \[4, 2\]"):
        embed.run(request_of("out", model=embed.ModelSpec(path), engine="ray", workers=2))
