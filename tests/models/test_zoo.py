"""Released models: the files in models/ are what this code makes of their graphs, byte for byte."""

from pathlib import Path

import numpy as np
import pytest

from edgekws import pipeline, plugins
from edgekws.errors import TargetError
from edgekws.graph import golden, interp, io
from firmware_io.build import host_cc, host_library

MODELS = Path(__file__).resolve().parents[2] / "models"
RELEASED = sorted(path.parent for path in MODELS.glob("*/graph.npz"))


@pytest.fixture(params=RELEASED, ids=lambda path: path.name)
def folder(request):
    return request.param


@pytest.fixture
def released(folder):
    return io.load(folder / "graph.npz")


def test_there_is_a_released_model():
    assert [path.name for path in RELEASED]


def test_emitters_still_give_the_released_bytes(folder, released):
    compared = 0
    for kind in plugins.names("emitters"):
        try:
            emitted = plugins.load("emitters", kind).emit(released)
        except TargetError:  # of a graph that this format cannot express
            continue
        for name, content in emitted.items():
            if (folder / name).exists():
                assert (folder / name).read_bytes() == content, f"{name} changed: release it again, or undo the change"
                compared += 1
    assert compared == len([*folder.glob("model.*")]) > 0
    assert (folder / "graph.npz").read_bytes() == io.to_bytes(released)


def test_golden_vectors_hold_in_the_interpreter_in_c_and_in_every_runtime(folder, released, tmp_path):
    vectors = golden.read(folder / "golden.npz")
    assert str(vectors["graph"]) == io.digest(released)
    assert len(np.unique(vectors["labels"])) == len(released.labels)
    assert np.array_equal(interp.run(released, vectors["features"]), vectors["scores"])
    for options in (host_cc.PORTABLE, None):
        compiled = host_library.compile_model(plugins.load("emitters", "c").emit(released), tmp_path, options)
        assert np.array_equal(compiled(vectors["features"]), vectors["scores"]), options
    for kind in plugins.names("emitters"):
        emitter = plugins.load("emitters", kind)
        if not hasattr(emitter, "executors") or not (folder / emitter.FILE).exists():
            continue
        files = {emitter.FILE: (folder / emitter.FILE).read_bytes()}
        for runtime, execute in emitter.executors(files).items():
            assert np.array_equal(execute(vectors["features"]), vectors["scores"]), runtime


def test_most_golden_clips_are_classified_correctly(folder):
    vectors = golden.read(folder / "golden.npz")
    assert np.mean(vectors["scores"].argmax(axis=1) == vectors["labels"]) > 0.8


def test_the_float_checkpoint_belongs_to_the_recipe(folder):
    from edgekws import recipe

    trained = pipeline.load_trained(folder / "float.safetensors", recipe.load(folder / "recipe.toml"))
    assert trained.labels == io.load(folder / "graph.npz").labels


@pytest.mark.parametrize("content", [b"", b"golden", b"PK\x03\x04"])
def test_foreign_golden_files_are_refused(tmp_path, content):
    from edgekws.errors import ArtifactError

    (tmp_path / "golden.npz").write_bytes(content)
    with pytest.raises(ArtifactError, match="golden"):
        golden.read(tmp_path / "golden.npz")
