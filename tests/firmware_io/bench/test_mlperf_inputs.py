"""MLPerf Tiny's official inputs: read as published, or refused with the line number."""

from __future__ import annotations

import tarfile
from dataclasses import replace

import numpy as np
import pytest

from edgekws.errors import ArtifactError
from firmware_io.bench import mlperf_inputs, vectors
from tests.recordings import SHARED


@pytest.fixture
def official(graph):
    """A graph with the features and labels of the reference."""
    return replace(graph, labels=(*mlperf_inputs.LABELS[:10], "_silence_", "_unknown_"))


@pytest.fixture
def folder(tmp_path, random_features):
    path = tmp_path / "kws01"
    path.mkdir()
    features = random_features(3)
    names = ["tst_000000_Stop_7.bin", "tst_000001_Left_2.bin", "tst_000002_Unknown_11.bin"]
    for name, clip in zip(names, features, strict=True):
        (path / name).write_bytes(clip.tobytes())
    (path / "y_labels.csv").write_text("".join(f"{name}, 12, {name.split('_')[3][:-4]}\n" for name in names))
    return path


def test_clips_come_in_the_order_of_the_table(official, folder, random_features):
    read = vectors.read(folder, official)
    assert read.ids[0] == "tst_000000_Stop_7.bin" and read.labels.tolist() == [7, 2, 11]
    assert np.array_equal(read.features, random_features(3))


def test_files_that_only_have_official_names_are_not_called_official(official, folder):
    read = vectors.read(folder, official)
    assert read.dataset == "clips named as MLPerf Tiny kws01's, not its official files"


def test_the_official_files_that_are_here_are_called_a_part(official, tmp_path):
    archive = SHARED / "kws01_b.tar"
    if not archive.exists():
        pytest.skip("needs the official files of shared/data")
    with tarfile.open(archive) as opened:
        opened.extractall(tmp_path, filter="data")
    assert vectors.read(tmp_path / "kws01_b", official).dataset == "MLPerf Tiny kws01, 335 of 1,000 files"


def test_graphs_with_other_features_or_labels_are_refused(official, folder):
    scaled = replace(official.features, input_scale=(0.5,) * 10)
    with pytest.raises(ArtifactError, match="MLPerf Tiny's features"):
        vectors.read(folder, replace(official, features=scaled))
    with pytest.raises(ArtifactError, match=r"MLPerf Tiny's labels"):
        vectors.read(folder, replace(official, labels=tuple(reversed(official.labels))))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no rows"),
        ("a.bin, 12, 7\nb.bin, 12", "line 2"),
        ("a.bin, 12, 12\n", "line 1"),
        ("a.bin, 10, 7\n", "line 1"),
        ("a.bin, 12, x\n", "line 1"),
        ("../a.bin, 12, 7\n", "line 1"),
        ("missing.bin, 12, 7\n", r"missing\.bin should be a clip"),
        ("short.bin, 12, 7\n", "489 bytes"),
    ],
)
def test_a_wrong_table_or_clip_is_named(official, folder, text, message):
    (folder / "short.bin").write_bytes(bytes(489))
    (folder / "y_labels.csv").write_text(text)
    with pytest.raises(ArtifactError, match=message):
        vectors.read(folder, official)


def test_a_folder_without_the_table_is_refused(official, tmp_path):
    with pytest.raises(ArtifactError, match=r"y_labels\.csv should list"):
        vectors.read(tmp_path, official)


def test_unnamed_scores_of_an_imported_model_are_to_be_named(tmp_path):
    from edgekws import api

    graph = api.load("dscnn_mlperf")
    labels = tuple(f"class{number}" for number in range(12))
    imported = replace(graph, labels=labels, provenance={**graph.provenance, "imported_from": "their.tflite"})
    with pytest.raises(ArtifactError, match=r"MLPerf Tiny's labels.* --labels down,go,left"):
        mlperf_inputs.read(tmp_path, imported)
