"""What a speech engine is asked to say, and what it answers. Imports nothing else of edgekws but the errors."""

from __future__ import annotations

import subprocess
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

import numpy as np

from edgekws.errors import DataError

_TIMEOUT_S = 60
_INT16 = 32_768


@dataclass(frozen=True)
class Utterance:
    """text: words, or phonemes in espeak-ng's mnemonics where `is_phonemes` (`espeak-ng -x` prints them).

    voice: one of the engine's `voices()`. speed and pitch: relative to the engine's own. variation: 0..1, how freely an
    engine with random numbers draws. seed: of these numbers.
    """

    text: str
    voice: str
    speed: float = 1.0
    pitch: float = 1.0
    variation: float = 0.5
    seed: int = 0
    is_phonemes: bool = False


@dataclass(frozen=True)
class Speech:
    """samples: float32 [n] in +-1."""

    samples: np.ndarray
    rate_hz: int


def of_wav(content: bytes, engine: str) -> Speech:
    """16-bit mono WAV, as engines write it. A header of unknown length (a pipe) is read to its end.

    Raises DataError for anything else, and for no sound.
    """
    try:
        with wave.open(BytesIO(content)) as file:
            rate_hz, start = file.getframerate(), content.index(b"data") + 8
            is_mono = file.getnchannels() == 1 and file.getsampwidth() == 2
    except (wave.Error, EOFError) as error:
        raise DataError(f"{engine} should write a WAV file", got=str(error) or "nothing") from error
    samples = np.frombuffer(content[start : len(content) - (len(content) - start) % 2], "<i2")
    if not is_mono or not len(samples):
        raise DataError(f"{engine} should write 16-bit mono sound", got="none" if is_mono else "another format")
    return Speech((samples / _INT16).astype(np.float32), rate_hz)


def output_of(command: Sequence[str], engine: str) -> bytes:
    """What a program prints. Raises DataError when it fails, or needs more than a minute."""
    try:
        return subprocess.run(command, check=True, capture_output=True, timeout=_TIMEOUT_S).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise DataError(f"{engine} should say a text", got=str(error), hint="repair its installation") from error
