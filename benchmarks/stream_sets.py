"""Folders to train and to judge a detector on: python benchmarks/stream_sets.py STREAM SPEECH_COMMANDS OUT

    OUT/training/background noise rooms          for edgekws train --background --noise --rooms
    OUT/validation/positives negatives noise rooms   for edgekws detect-eval --validation
    OUT/test/positives negatives noise rooms         for its --positives --negatives --noise --rooms

STREAM is the unpacked stream.tar, SPEECH_COMMANDS the folder that holds speech_commands_v0.02 and its test archive.
Files are links; parts of Speech Commands' noises are written. Which file goes where is stream_split.txt's to say.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import soundfile

from benchmarks import stream_split
from edgekws.data import audio
from edgekws.data.sources.speech_commands import KEYWORDS

NOISE_SHARES = {"training": (0.0, 0.6), "validation": (0.6, 0.8), "test": (0.8, 1.0)}
"""Of each background noise of Speech Commands."""
RATE_HZ = 16_000


def main(stream: Path, speech_commands: Path, out: Path) -> None:
    for path, part in stream_split.read().items():
        speech = "background" if part == "training" else "negatives"
        folder = {"background": speech, "keywords": speech}.get(path.split("/")[0], path.split("/")[0])
        _link(stream / path, out / part / folder / path)
    words = speech_commands / "speech_commands_v0.02"
    archive = speech_commands / "speech_commands_test_set_v0.02"
    listed = [words / line for line in (words / "validation_list.txt").read_text().split()]
    _positives(listed, out / "validation")
    _positives((path for word in KEYWORDS for path in sorted((archive / word).glob("*.wav"))), out / "test")
    for path in sorted((words / "_background_noise_").glob("*.wav")):
        _noise(path, out)


def _positives(paths: Iterable[Path], folder: Path) -> None:
    for path in paths:
        if path.parent.name in KEYWORDS:
            _link(path, folder / "positives" / path.parent.name / path.name)


def _noise(path: Path, out: Path) -> None:
    samples = audio.read(path, RATE_HZ)
    for part, (first, last) in NOISE_SHARES.items():
        piece = samples[int(first * len(samples)) : int(last * len(samples))]
        target = out / part / "noise" / "speech_commands" / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(target, piece, RATE_HZ)


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.is_symlink():
        target.symlink_to(source.resolve())


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*map(Path, sys.argv[1:]))
