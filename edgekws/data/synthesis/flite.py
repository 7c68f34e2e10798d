"""flite: five English voices, cut from recordings of people or modelled after them (Debian: flite)."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from edgekws.data.phrase.utterance import Speech, Utterance, of_wav, output_of

HOW_TO_GET = "apt-get install flite"
SAYS_PHONEMES = False
SHARE = 1.0
PROGRAM = "flite"
_PITCH_HZ = {"rms": 95, "slt": 180, "awb": 120, "kal16": 105, "kal": 105}


def available() -> bool:
    """Whether the program is installed."""
    return shutil.which(PROGRAM) is not None


def voices() -> tuple[str, ...]:
    """Voices of several people."""
    return tuple(_PITCH_HZ)


def say(utterance: Utterance) -> Speech:
    """Speech at 8,000 Hz (kal) or 16,000 Hz. Raises DataError when the engine fails."""
    pitch_hz = _PITCH_HZ[utterance.voice] * utterance.pitch
    settings = {"duration_stretch": f"{1 / utterance.speed:.3f}", "int_f0_target_mean": f"{pitch_hz:.1f}"}
    handle, name = tempfile.mkstemp(suffix=".wav")  # flite writes no WAV to a pipe
    os.close(handle)
    try:
        options = [word for key, value in settings.items() for word in ("--setf", f"{key}={value}")]
        output_of([PROGRAM, "-voice", utterance.voice, *options, "-t", utterance.text, "-o", name], PROGRAM)
        return of_wav(Path(name).read_bytes(), PROGRAM)
    finally:
        Path(name).unlink(missing_ok=True)
