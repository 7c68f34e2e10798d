"""Every importer gives back the graph that the emitter of its name wrote, and refuses damaged files."""

import pytest

from edgekws import plugins
from edgekws.errors import ArtifactError, TargetError
from edgekws.graph import io

IMPORTERS = plugins.names("importers")


@pytest.mark.parametrize("name", IMPORTERS)
def test_export_then_import_gives_the_same_graph(name, graph):
    files = plugins.load("emitters", name).emit(graph)
    assert io.digest(plugins.load("importers", name).read(files)) == io.digest(graph)


@pytest.mark.parametrize("name", IMPORTERS)
def test_damaged_files_are_refused(name, graph):
    files = plugins.load("emitters", name).emit(graph)
    for damaged in ({}, {key: content[: len(content) // 2] for key, content in files.items()}):
        with pytest.raises((ArtifactError, TargetError)):
            plugins.load("importers", name).read(damaged)
