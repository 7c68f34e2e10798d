"""The files beside a report that its page shows: recordings, the log of the training, the card of the model.

    clips/01.wav ...    of the wrong answers in report.json (accuracy.wrong), by their place in it; mono, 16 bits
    training.csv        float/log.csv of the model's folder
    card.md             the model's card

All are optional. The page embeds the recordings, so that it can be sent without them.
"""

from __future__ import annotations

import csv
import io
import wave
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from edgekws.errors import ArtifactError
from edgekws.files import read_content, write_bytes

CLIPS, LOG, CARD = "clips", "training.csv", "card.md"
COLUMNS = ("epoch", "loss", "validation_loss", "validation_accuracy", "validation_balanced_accuracy")
"""Those of a training's log that a page shows."""
MOST_BYTES = 1_300_000
"""Of all recordings together: with their pictures less than 2 MB of a page, in base64."""


@dataclass(frozen=True)
class ShownClip:
    """A recording of a wrong answer. number: its place in accuracy.wrong, from 1; samples: int16 [n]."""

    number: int
    samples: np.ndarray
    rate_hz: int


@dataclass(frozen=True)
class Attached:
    """What lies beside a report. wav: content of the recordings by number; training: a row of COLUMNS an epoch."""

    clips: dict[int, ShownClip] = field(default_factory=dict)
    wav: dict[int, bytes] = field(default_factory=dict)
    training: tuple[dict[str, float], ...] = ()
    card: bool = False


def write(folder: Path, clips: Sequence[ShownClip], log: Path | None = None, card: Path | None = None) -> None:
    """Write the files that there are into `folder`: as many of `clips` as MOST_BYTES hold, in their order.

    Raises ArtifactError when one cannot be written, or `log` and `card` cannot be read.
    """
    left = MOST_BYTES
    for clip in clips:
        content = wav_bytes(clip)
        left -= len(content)
        if left < 0:
            break
        (folder / CLIPS).mkdir(parents=True, exist_ok=True)
        write_bytes(folder / CLIPS / f"{clip.number:02d}.wav", content)
    for source, name in ((log, LOG), (card, CARD)):
        if source is not None and source.is_file():
            write_bytes(folder / name, read_content(source, "a file of the model", ""))


def read(folder: Path) -> Attached:
    """What lies beside the report in `folder`. Raises ArtifactError for a file that is damaged."""
    paths = {int(path.stem): path for path in sorted((folder / CLIPS).glob("[0-9][0-9].wav"))}
    wav = {number: read_content(path, "a recording", "") for number, path in paths.items()}
    clips = {number: _clip(number, content, paths[number]) for number, content in wav.items()}
    return Attached(clips, wav, _training(folder / LOG), (folder / CARD).is_file())


def wav_bytes(clip: ShownClip) -> bytes:
    """A mono WAV file of 16 bits."""
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(clip.rate_hz)
        file.writeframes(np.ascontiguousarray(clip.samples, "<i2").tobytes())
    return content.getvalue()


def _clip(number: int, content: bytes, path: Path) -> ShownClip:
    try:
        with wave.open(io.BytesIO(content)) as file:
            if file.getnchannels() != 1 or file.getsampwidth() != 2:
                raise ValueError("another kind of WAV")
            return ShownClip(number, np.frombuffer(file.readframes(file.getnframes()), "<i2"), file.getframerate())
    except (wave.Error, EOFError, ValueError) as error:
        raise ArtifactError(f"{path} should be a mono WAV file of 16 bits", got=str(error)) from error


def _training(path: Path) -> tuple[dict[str, float], ...]:
    """The rows of the log; none without a log, or with one of other columns."""
    if not path.is_file():
        return ()
    text = read_content(path, "the log of a training", "").decode("utf-8", errors="replace")
    try:
        return tuple({name: float(row[name]) for name in COLUMNS} for row in csv.DictReader(io.StringIO(text)))
    except (KeyError, TypeError, ValueError):
        return ()
