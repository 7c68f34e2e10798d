"""Windows over recordings, and the same integers on every executor."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekws import models
from edgekws.errors import ConfigError, DataError
from edgekws.inference import classifier as classifiers
from edgekws.inference import model, recordings
from edgekws.inference.predict import cut, predict
from tests.graphs import random_dag
from tests.inference.sounds import RATE_HZ, sound, write

DSCNN = model.read(Path("dscnn"))


@given(st.integers(1, 500), st.floats(1, 300))
def test_windows_cover_the_recording(count: int, hop: float) -> None:
    samples = np.arange(1, count + 1, dtype=np.int16)
    starts, clips = cut(samples, 100, hop)
    assert clips.shape == (len(starts), 100) and starts == sorted(set(starts)) and starts[0] == 0
    if count >= 100:
        assert starts[-1] == count - 100 and all(b - a <= hop + 1 for a, b in pairwise(starts))
        assert all(row[0] == start + 1 for start, row in zip(starts, clips, strict=True))
    else:
        before = (100 - count) // 2
        assert np.array_equal(clips[0, before : before + count], samples) and not clips[0, :before].any()


def test_the_answer_to_a_long_recording_is_its_most_probable_word() -> None:
    quiet, probable = np.zeros((1, 12)), np.zeros((1, 12))
    quiet[0, 10], probable[0, 9] = 1.0, 1.0  # _silence_, yes

    def answer(features: np.ndarray) -> tuple[np.ndarray, None]:
        rows = [0.6 * probable + 0.4 * quiet if at == 2 else quiet for at in range(len(features))]
        return np.concatenate(rows), None

    fake = classifiers.Classifier(DSCNN, "fake", "fake", answer)
    result = predict(fake, sound(3.0), "a.wav")
    assert [window.start_s for window in result.windows] == [0.0, 0.5, 1.0, 1.5, 2.0]
    assert (result.word, result.best.start_s, result.seconds) == ("yes", 1.0, 3.0)
    assert result.probability == pytest.approx(0.6)
    unsure = classifiers.Classifier(
        DSCNN, "fake", "fake", lambda given: (np.tile(0.4 * probable, (len(given), 1)), None)
    )
    assert predict(unsure, sound(3.0)).word is None and predict(unsure, sound(0.9)).word == "yes"
    rejected = predict(fake, sound(3.0), threshold=0.7)
    assert (rejected.word, rejected.label) == (None, "_silence_")
    assert result.to_json()["top"] == pytest.approx({"yes": 0.6, "_silence_": 0.4, DSCNN.labels[0]: 0.0})


def test_every_executor_gives_the_same_integers() -> None:
    clips = np.stack([sound(seed=seed) for seed in range(20)] + [np.zeros(RATE_HZ, np.int16)])
    probabilities, expected = classifiers.classifier(DSCNN, "interp").clips(clips)
    assert expected is not None and np.allclose(probabilities.sum(axis=1), 1)
    for on in ("c", "onnx", "onnx-integer", "onnx-tinpu", "tflite"):
        run = classifiers.classifier(DSCNN, on)
        assert not run.note
        assert np.array_equal(run.clips(clips)[1], expected), run.runtime
    for file in ("model.tflite", "model.qdq.onnx"):
        exported = classifiers.classifier(model.read(models.folder("dscnn") / file))
        assert np.array_equal(exported.clips(clips)[1], expected)
    trained = classifiers.classifier(model.read(models.folder("dscnn") / "float.safetensors"))
    assert (trained.clips(clips)[0].argmax(axis=1) == expected.argmax(axis=1)).mean() > 0.7


def test_a_file_that_may_differ_says_so() -> None:
    graphs = [model.of_graph(random_dag(seed, "int8", (8,))) for seed in range(4)]
    notes = [classifiers.classifier(graph, "onnx-qdq").note for graph in graphs]
    assert any("may differ from the graph by one step" in note for note in notes)
    assert not any(classifiers.classifier(graph, "onnx").note for graph in graphs)


def test_executors_that_do_not_fit() -> None:
    with pytest.raises(ConfigError, match=r"--on tflit is not known; did you mean tflite.*board:NAME"):
        classifiers.classifier(DSCNN, "tflit")
    exported = model.read(models.folder("dscnn") / "model.tflite")
    with pytest.raises(ConfigError, match=r"its own runtime: --on tflite. Got: --on c"):
        classifiers.classifier(exported, "c")
    with pytest.raises(ConfigError, match="needs the integer graph"):
        classifiers.require_graph(exported, "board:host")
    trained = model.read(models.folder("dscnn") / "float.safetensors")
    with pytest.raises(ConfigError, match="runs in torch"):
        classifiers.classifier(trained, "onnx")


def test_recordings_from_everywhere(tmp_path: Path) -> None:
    path = write(tmp_path / "a" / "b.wav")
    write(tmp_path / "a" / "._b.wav")
    assert recordings.listed(tmp_path) == [path] == recordings.listed(path)
    samples = recordings.read(path, RATE_HZ)
    assert np.array_equal(recordings.from_bytes(path.read_bytes(), RATE_HZ), samples)
    assert np.array_equal(recordings.from_bytes(samples.astype("<i2").tobytes(), RATE_HZ, RATE_HZ), samples)
    assert np.array_equal(recordings.from_samples(samples / np.float32(32_768), RATE_HZ, RATE_HZ), samples)
    slow = recordings.from_samples(sound(rate_hz=8_000), 8_000, RATE_HZ)
    assert len(slow) == RATE_HZ


@pytest.mark.parametrize(
    ("content", "raw", "message"),
    [(b"", None, "Got: nothing"), (b"hello", None, "standard input"), (b"abc", 16_000, "two bytes each")],
    ids=["empty", "no sound", "odd"],
)
def test_standard_input_that_is_no_recording(content: bytes, raw: int | None, message: str) -> None:
    with pytest.raises(DataError, match=message):
        recordings.from_bytes(content, RATE_HZ, raw)


def test_folders_without_recordings(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no file in it"):
        recordings.listed(tmp_path)
    with pytest.raises(DataError, match="no such file"):
        recordings.listed(tmp_path / "missing.wav")
    with pytest.raises(DataError, match="NaN"):
        recordings.from_samples(np.array([0.0, np.nan]), RATE_HZ, RATE_HZ)
