"""`bench --vectors` of a folder of recordings: scored with the model's own front end, or refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import soundfile

from edgekws.cli.boards import clips
from edgekws.errors import ArtifactError, DataError
from edgekws.features.mfcc import mfcc, quantize
from edgekws.features.presets import MLPERF
from edgekws.features.spec import UnknownFeatures
from edgekws.mlperf import kws01
from firmware_io.bench import mlperf_inputs

LABELS = (*mlperf_inputs.LABELS[:10], "_silence_", "_unknown_")


@pytest.fixture
def model(graph):
    return replace(graph, labels=LABELS, features=MLPERF)


def sound(seed):
    return np.random.default_rng(seed).normal(0, 2000, 16_000).astype(np.int16)


def written(folder, files):
    for seed, name in enumerate(files):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(folder / name, sound(seed), 16_000, subtype="PCM_16")


def expected(model, count):
    return quantize(model.front_end, mfcc(model.front_end, np.stack([sound(seed) for seed in range(count)])))


def test_word_folders(model, tmp_path):
    written(tmp_path, ["no/a.wav", "yes/a.wav", "zebra/a.wav"])
    read, dataset = clips.chosen(tmp_path, tmp_path, 0, model)
    assert dataset is None and read.ids == ("no/a.wav", "yes/a.wav", "zebra/a.wav")
    assert [LABELS[label] for label in read.labels] == ["no", "yes", "_unknown_"]
    assert np.array_equal(read.features, expected(model, 3))


def test_the_table_of_mlperf_tiny_with_recordings(model, tmp_path):
    written(tmp_path, ["b.wav", "a.wav"])
    (tmp_path / "y_labels.csv").write_text("b.wav, 12, 7\na.wav, 12, 10\n")
    read, _ = clips.chosen(tmp_path, tmp_path, 0, model)
    assert (read.ids, read.labels.tolist()) == (("b.wav", "a.wav"), [7, 10])
    assert np.array_equal(read.features, expected(model, 2))
    with pytest.raises(DataError, match="labels"):
        clips.chosen(tmp_path, tmp_path, 0, replace(model, labels=tuple(reversed(LABELS))))


def test_a_model_of_unknown_features_takes_no_recordings(model, tmp_path):
    written(tmp_path, ["no/a.wav"])
    with pytest.raises(DataError, match="the front end should be known"):
        clips.chosen(tmp_path, tmp_path, 0, replace(model, features=UnknownFeatures((49, 10))))


def test_official_files_that_a_model_was_partly_trained_on_are_called_so(model, tmp_path):
    file = next(file for file in kws01.files().values() if file.sha256 == kws01.UNLISTED)
    (tmp_path / file.name).write_bytes(bytes(490))
    (tmp_path / "y_labels.csv").write_text(f"{file.name}, 12, {file.label}\n")
    seen = replace(model, provenance={"dataset": kws01.DEV_SPLITS[0]})
    assert clips.chosen(tmp_path, tmp_path, 0, seen)[0].dataset.endswith("(partly trained on)")
    assert "trained" not in clips.chosen(tmp_path, tmp_path, 0, model)[0].dataset
    with pytest.raises(ArtifactError, match=r"whose front end is unknown.*--features mlperf"):
        clips.chosen(tmp_path, tmp_path, 0, replace(model, features=UnknownFeatures((49, 10))))
