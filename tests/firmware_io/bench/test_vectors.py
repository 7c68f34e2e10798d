"""Vector files: written and read again, and refused when they are not for this graph."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgekws.errors import ArtifactError
from edgekws.files import npz_bytes
from edgekws.graph import golden
from firmware_io.bench import vectors
from firmware_io.bench.modes import Vectors


@pytest.fixture
def clips(random_features):
    return Vectors("dev split", ("a", "b", "c"), random_features(3), np.array([0, 5, 11]))


def test_written_vectors_are_read_back(graph, clips, tmp_path):
    path = tmp_path / "vectors.npz"
    vectors.write(path, clips, graph.features)
    read = vectors.read(path, graph)
    assert (read.dataset, read.ids) == (clips.dataset, clips.ids)
    assert np.array_equal(read.features, clips.features) and np.array_equal(read.labels, clips.labels)
    vectors.write(path, replace(clips, labels=None), graph.features)
    assert vectors.read(path, graph).labels is None


def test_features_of_another_specification_are_refused(graph, clips, tmp_path):
    path = tmp_path / "vectors.npz"
    vectors.write(path, clips, replace(graph.features, hop_samples=160, low_hz=60.0))
    with pytest.raises(ArtifactError, match=r"hop_samples 160, not 320; low_hz 60\.0, not 20\.0.*What to do"):
        vectors.read(path, graph)


def test_golden_vectors_fit_their_own_graph_only(graph, graph_factory, clips, tmp_path):
    path = tmp_path / "golden.npz"
    golden.write(path, graph, clips.features, clips.labels, list(clips.ids))
    assert vectors.read(path, graph).ids == clips.ids
    with pytest.raises(ArtifactError, match="golden vectors of graph"):
        vectors.read(path, graph_factory(seed=9))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"features": np.zeros((3, 49, 10), np.float32)}, "should hold int8"),
        ({"features": np.zeros((3, 48, 10), np.int8)}, "should hold int8"),
        ({"ids": np.array(["a"])}, "n names"),
        ({"labels": np.array([0, 5, 12])}, "label below 12"),
        ({"spec": np.array("no JSON")}, "feature specification"),
        ({"format": np.array("edgekws-vectors 2")}, "version 1"),
        ({"format": np.array("something 1")}, "edgekws-vectors"),
    ],
)
def test_damaged_and_foreign_files_are_one_paragraph(graph, clips, tmp_path, change, message):
    path = tmp_path / "vectors.npz"
    vectors.write(path, clips, graph.features)
    with np.load(path) as loaded:
        arrays = {**loaded, **change}
    path.write_bytes(npz_bytes(arrays))
    with pytest.raises(ArtifactError, match=message):
        vectors.read(path, graph)


def test_a_file_that_is_not_an_npz_is_refused(graph, tmp_path):
    for content in (b"", b"PK\x03\x04 broken", b"words"):
        (tmp_path / "x.npz").write_bytes(content)
        with pytest.raises(ArtifactError, match="vectors"):
            vectors.read(tmp_path / "x.npz", graph)
    with pytest.raises(ArtifactError, match=r"there is no file .*vectors"):
        vectors.read(tmp_path / "missing.npz", graph)
