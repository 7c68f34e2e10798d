"""Every importer gives back the integers of the graph that the emitter of its name wrote, and refuses damaged files."""

import numpy as np
import pytest

from edgekws import plugins
from edgekws.errors import ArtifactError, TargetError

IMPORTERS = [name for name in plugins.names("importers") if name in plugins.names("emitters")]


@pytest.mark.parametrize("name", IMPORTERS)
def test_export_then_import_gives_the_same_integers(name, graph):
    files = plugins.load("emitters", name).emit(graph)
    inputs = np.random.default_rng(0).integers(-128, 128, (20, *graph.features.shape)).astype(np.int8)
    assert (plugins.load("importers", name).read(files).run(inputs) == graph.run(inputs)).all()


@pytest.mark.parametrize("name", IMPORTERS)
def test_damaged_files_are_refused(name, graph):
    files = plugins.load("emitters", name).emit(graph)
    for damaged in ({}, {key: content[: len(content) // 2] for key, content in files.items()}):
        with pytest.raises((ArtifactError, TargetError)):
            plugins.load("importers", name).read(damaged)
