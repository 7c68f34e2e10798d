"""The words in one recording, window by window.

    recording      |<------------------------------ 3.2 s ------------------------------>|
    window 0       [ one second ]
    window 1             [ one second ]                 one hop later
    ...
    last window                                                        [ one second ]   ends with the recording

A recording that is shorter than a clip is one window, centred between zeros as `data prepare` does with own words.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from edgekws.data import audio
from edgekws.data.labels import REJECT
from edgekws.errors import ConfigError
from edgekws.inference.classifier import Classifier

HOP_MS = 500.0
SURE = 0.5
"""The threshold of a recording of several windows, where none is given: one unsure window of many is no word."""
TOP = 3


@dataclass(frozen=True)
class Window:
    """The answer to one window. probabilities: by label, the highest first. word: None where no word is accepted."""

    start_s: float
    label: str
    probability: float
    word: str | None
    probabilities: dict[str, float]

    def to_json(self, top: int = TOP) -> dict[str, Any]:
        """The window with its `top` labels."""
        first = dict(list(self.probabilities.items())[:top])
        return {
            "start_s": self.start_s,
            "label": self.label,
            "probability": self.probability,
            "word": self.word,
            "top": first,
        }


@dataclass(frozen=True)
class Prediction:
    """The answer to one recording of `seconds`.

    label, probability, word: of the best window, which is the one with the most probable accepted word, else the one
    with the most probable label. windows: in the order of time. scores: int8 [windows, labels], None for a float
    network.
    """

    file: str
    seconds: float
    windows: tuple[Window, ...]
    best: Window
    scores: np.ndarray | None

    @property
    def label(self) -> str:
        return self.best.label

    @property
    def probability(self) -> float:
        return self.best.probability

    @property
    def word(self) -> str | None:
        """The word that was recognized, None for none of the model's words."""
        return self.best.word

    @property
    def probabilities(self) -> dict[str, float]:
        """Of the best window, the highest first."""
        return self.best.probabilities

    def to_json(self) -> dict[str, Any]:
        """The prediction as plain JSON values."""
        windows = [window.to_json() for window in self.windows]
        if self.scores is not None:
            windows = [{**window, "scores": row} for window, row in zip(windows, self.scores.tolist(), strict=True)]
        return {"file": self.file, "seconds": self.seconds, **self.best.to_json(), "windows": windows}


def predict(
    classifier: Classifier, samples: np.ndarray, file: str = "", hop_ms: float = HOP_MS, threshold: float | None = None
) -> Prediction:
    """The prediction for a recording, int16 [n] at the rate of the model.

    hop_ms: from one window to the next. threshold: a word of a lower probability is not accepted; by default 0 for
    one window and SURE for more. Raises ConfigError for a hop below one sample.
    """
    spec = classifier.model.features
    starts, clips = cut(samples, spec.clip_samples, hop_ms * spec.rate_hz / 1000)
    probabilities, scores = classifier.clips(clips)
    labels = classifier.model.labels
    if threshold is None:
        threshold = SURE if len(starts) > 1 else 0.0
    windows = tuple(
        _window(start / spec.rate_hz, row, labels, threshold) for start, row in zip(starts, probabilities, strict=True)
    )
    return Prediction(file, len(samples) / spec.rate_hz, windows, _best(windows), scores)


def cut(samples: np.ndarray, length: int, hop: float) -> tuple[list[int], np.ndarray]:
    """(first samples of the windows, int16 [windows, length]). hop: in samples. Raises ConfigError for one below 1."""
    if not hop >= 1:
        raise ConfigError("--hop-ms should be at least one sample", got=f"{hop:g} samples")
    if len(samples) <= length:
        return [0], audio.fit(samples, length)[None]
    last = len(samples) - length
    starts = [*(round(number * hop) for number in range(int(last // hop) + 1)), last]
    starts = sorted({min(start, last) for start in starts})
    return starts, np.lib.stride_tricks.sliding_window_view(samples, length)[starts]


def _window(start_s: float, row: np.ndarray, labels: tuple[str, ...], threshold: float) -> Window:
    order = np.argsort(-row, kind="stable")
    ranked = {labels[at]: float(row[at]) for at in order}
    label, probability = next(iter(ranked.items()))
    accepted = label not in REJECT and probability >= threshold
    return Window(start_s, label, probability, label if accepted else None, ranked)


def _best(windows: tuple[Window, ...]) -> Window:
    return max(windows, key=lambda window: (window.word is not None, window.probability))
