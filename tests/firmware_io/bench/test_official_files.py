"""The released network for MLPerf Tiny's inputs, on the official files that no training touched."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from edgekws import models
from edgekws.errors import ArtifactError
from edgekws.graph import io
from firmware_io.bench import vectors
from tests.recordings import SHARED

FILES = SHARED / "kws01_b.tar"


@pytest.fixture
def official(tmp_path):
    if not FILES.exists():
        pytest.skip("needs the official files of shared/data")
    with tarfile.open(FILES) as opened:
        opened.extractall(tmp_path, filter="data")
    return tmp_path / "kws01_b"


@pytest.mark.slow
def test_the_released_network_is_right_on_most(official):
    graph = io.load(models.home() / "dscnn_mlperf" / models.GRAPH)
    read = vectors.read(official, graph)
    hits = int((graph.run(read.features).argmax(1) == read.labels).sum())
    assert (hits, len(read.ids)) == (309, 335)


def test_a_network_of_other_features_refuses_them(official):
    with pytest.raises(ArtifactError, match=r"MLPerf Tiny's features.*or bench dscnn_mlperf"):
        vectors.read(official, io.load(Path(models.home() / "dscnn" / models.GRAPH)))
