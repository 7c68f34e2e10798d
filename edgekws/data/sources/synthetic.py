"""A small data set synthesized by espeak-ng, in the layout of Speech Commands, for machines without recordings.

It shows that the line works. A score on it says nothing about real speech.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from edgekws.data.download import MAIN, TEST_ARCHIVE
from edgekws.data.labels import SILENCE, UNKNOWN
from edgekws.data.listing import NOISE_FOLDER, Listing
from edgekws.data.sources import speech_commands
from edgekws.data.sources.speech_commands import KEYWORDS
from edgekws.errors import ConfigError
from edgekws.types import Progress

NOTE = "SYNTHETIC SPEECH (espeak-ng): scores on this set say nothing about real speech"
OTHER_WORDS = ("bed", "cat", "dog", "five", "happy", "house", "tree", "zero")
_ACCENTS = ("en-us", "en-gb", "en-gb-scotland", "en-029")
_VARIANTS = ("m1", "m2", "m3", "m4", "f1", "f2", "f3", "f4")
_TAKES = 3
_RATE_HZ = 16_000
_NOISE_SECONDS = 30


@dataclass(frozen=True)
class _Take:
    word: str
    speaker: str
    number: int
    split: str
    pitch: int
    words_per_minute: int


def make(folder: Path, progress: Progress) -> Path:
    """Write the data set below `folder` unless it exists; return `folder`. Raises ConfigError without espeak-ng."""
    if (folder / TEST_ARCHIVE).is_dir():
        return folder
    if shutil.which("espeak-ng") is None:
        raise ConfigError(
            "a data set needs recordings, a network or espeak-ng",
            got="none of them",
            hint="give a folder with --root, or install espeak-ng (apt-get install espeak-ng)",
        )
    unfinished = folder / ".making"
    shutil.rmtree(unfinished, ignore_errors=True)
    takes = list(_takes())
    with ThreadPoolExecutor() as pool:
        for number, _ in enumerate(pool.map(lambda take: _synthesize(take, unfinished), takes)):
            progress("synthesize", number + 1, len(takes))
    _write_lists(unfinished / MAIN, takes)
    _write_noises(unfinished)
    for name in (MAIN, TEST_ARCHIVE):  # the test archive last: its presence says that all is done
        shutil.rmtree(folder / name, ignore_errors=True)
        (unfinished / name).rename(folder / name)
    unfinished.rmdir()
    return folder


def scan(root: Path, clip_samples: int) -> Listing:
    """The data set that `make` wrote below `root`, with a note that it is synthetic."""
    return replace(speech_commands.scan(root, clip_samples), name="synthetic speech", notes=(NOTE,))


def _takes() -> Iterator[_Take]:
    """Speakers, not takes, are split: 24 of 32 train, 4 validate, 4 test."""
    rng = np.random.default_rng(0)
    speakers = [f"{accent}+{variant}" for accent in _ACCENTS for variant in _VARIANTS]
    splits = dict(zip(rng.permutation(speakers), ["test"] * 4 + ["validation"] * 4 + ["train"] * 24, strict=True))
    for word in (*KEYWORDS, *OTHER_WORDS):
        for speaker in speakers:
            for number in range(_TAKES):
                pitch, speed = int(rng.integers(25, 75)), int(rng.integers(120, 200))
                yield _Take(word, speaker, number, splits[speaker], pitch, speed)


def _path(take: _Take) -> Path:
    name = f"{take.speaker.replace('+', '-')}_nohash_{take.number}.wav"
    if take.split != "test":
        return Path(MAIN) / take.word / name
    return Path(TEST_ARCHIVE) / (take.word if take.word in KEYWORDS else UNKNOWN) / f"{take.word}-{name}"


def _synthesize(take: _Take, root: Path) -> None:
    command = ["espeak-ng", "-v", take.speaker, "-p", str(take.pitch), "-s", str(take.words_per_minute)]
    spoken = subprocess.run([*command, "--stdout", take.word], check=True, capture_output=True).stdout
    rate_hz = int.from_bytes(spoken[24:28], "little")
    samples = _resample(np.frombuffer(spoken[44:], "<i2").astype(np.float64), rate_hz)[:_RATE_HZ]
    rng = np.random.default_rng([len(take.word), take.pitch, take.words_per_minute, take.number])
    clip = rng.normal(0, 30, _RATE_HZ)
    start = int(rng.integers(0, _RATE_HZ - len(samples) + 1))
    clip[start : start + len(samples)] += samples * rng.uniform(0.2, 0.9)
    _write(root / _path(take), clip)


def _resample(samples: np.ndarray, rate_hz: int) -> np.ndarray:
    spectrum = np.fft.rfft(samples)
    length = len(samples) * _RATE_HZ // rate_hz
    return np.asarray(np.fft.irfft(spectrum[: length // 2 + 1], length) * length / len(samples))


def _write_lists(main: Path, takes: list[_Take]) -> None:
    validation = [str(_path(take).relative_to(MAIN)) for take in takes if take.split == "validation"]
    (main / "validation_list.txt").write_text("\n".join(validation) + "\n")
    (main / "testing_list.txt").write_text("")


def _write_noises(root: Path) -> None:
    rng = np.random.default_rng(1)
    white = rng.normal(0, 1, _NOISE_SECONDS * _RATE_HZ)
    spectrum = np.fft.rfft(white)
    pink = np.fft.irfft(spectrum / np.sqrt(np.arange(1, len(spectrum) + 1)))
    for name, noise in {"white_noise": white, "pink_noise": pink, "running_tap": np.diff(white, prepend=0)}.items():
        level = noise / np.abs(noise).max() * 8_000
        _write(root / MAIN / NOISE_FOLDER / f"{name}.wav", level)
        for number in range(4):
            start = (2 * number + 1) * _RATE_HZ
            _write(root / TEST_ARCHIVE / SILENCE / f"{name}-{number}.wav", level[start : start + _RATE_HZ] / 4)


def _write(path: Path, samples: np.ndarray) -> None:
    import soundfile

    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.clip(np.round(samples), -32_768, 32_767).astype(np.int16), _RATE_HZ, subtype="PCM_16")
