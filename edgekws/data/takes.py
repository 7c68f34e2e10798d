"""Recordings of one speaker, made one by one: OUT/<word>/<speaker>_nohash_<n>.wav, 16 kHz, mono, 16 bits.

The speaker's name is kept in OUT/.speaker, so that it is asked once.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from edgekws.data.listing import RATE_HZ
from edgekws.errors import ConfigError, DataError
from edgekws.files import replacing, write_text

_SPEAKER = ".speaker"
_CLIPPED_SHARE = 0.001
_SILENT_DB, _ROOM_DB = -50.0, 10.0


def known_speaker(out: Path) -> str | None:
    """The name that was given before, or None."""
    path = out / _SPEAKER
    try:
        return path.read_text(encoding="utf-8").strip() or None
    except (OSError, UnicodeDecodeError):
        return None


def keep_speaker(out: Path, name: str) -> str:
    """Write the name down and return it. Raises ConfigError for one that cannot be a part of a file's name."""
    plain = name.strip()
    if not re.fullmatch(r"[\w-]+( [\w-]+)*", plain) or "_nohash_" in plain:
        raise ConfigError("a speaker's name should have letters, digits and dashes alone", got=name or "nothing")
    write_text(out / _SPEAKER, plain + "\n")
    return plain


def words(text: str) -> list[str]:
    """The words of "yes,no". Raises ConfigError for one that cannot be the name of a folder."""
    names = [" ".join(word.split()) for word in text.split(",") if word.strip()]
    wrong = [name for name in names if re.search(r'[\\/:*?"<>|]|^\.', name)]
    if not names or wrong:
        got = ", ".join(wrong) or "none"
        raise ConfigError("--words should be words with commas between them, such as yes,no", got=got)
    return list(dict.fromkeys(names))


def paths(out: Path, word: str, speaker: str) -> list[Path]:
    """The recordings of a word by a speaker that are there, in order of their numbers."""
    found = {number: path for path in (out / word).glob("*.wav") if (number := _number(path, speaker)) is not None}
    return [found[number] for number in sorted(found)]


def next_path(out: Path, word: str, speaker: str) -> Path:
    """The file of the next recording."""
    there = paths(out, word, speaker)
    number = (_number(there[-1], speaker) or 0) + 1 if there else 0
    return out / word / f"{speaker}_nohash_{number}.wav"


def save(path: Path, samples: np.ndarray) -> None:
    """Write int16 [n] at 16 kHz. Raises ArtifactError when it cannot be written."""
    import soundfile

    with replacing(path) as partial:
        soundfile.write(partial, samples, RATE_HZ, subtype="PCM_16", format="WAV")


def problem(samples: np.ndarray) -> str:
    """What is wrong with int16 [n], or "": nothing but zeros, too quiet, or clipped."""
    if not len(samples):
        raise DataError("a recording should have samples", got="none")
    if not samples.any():
        return "nothing but zeros: is the microphone muted, or not allowed for this program?"
    peak = int(np.abs(samples.astype(np.int32)).max())
    if float((np.abs(samples.astype(np.int32)) >= 32_700).mean()) > _CLIPPED_SHARE:
        return "clipped: speak more quietly, or farther away"
    level = level_db(samples)
    if 20 * np.log10(peak / 32_768) < _SILENT_DB:
        return "almost silent: speak louder, or choose another --input"
    return "no word stands out of the noise" if level is not None and level < _ROOM_DB else ""


def level_db(samples: np.ndarray) -> float | None:
    """How far the loudest 50 ms are above the quietest, in dB; None for less than half a second."""
    frame = RATE_HZ // 20
    count = len(samples) // frame
    if count < 10:
        return None
    powers = np.square(samples[: count * frame].reshape(count, frame).astype(np.float64)).mean(axis=1) + 1
    return float(10 * np.log10(powers.max() / powers.min()))


def _number(path: Path, speaker: str) -> int | None:
    name, mark, number = path.stem.rpartition("_nohash_")
    return int(number) if mark and name == speaker and number.isdigit() else None
