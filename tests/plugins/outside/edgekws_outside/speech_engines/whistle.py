"""A tone per letter, as a stand-in for a speech engine."""

import numpy as np

from edgekws.data.phrase.utterance import Speech, Utterance

HOW_TO_GET = "it is installed"
SAYS_PHONEMES = False
SHARE = 1.0
_RATE_HZ = 16_000


def available() -> bool:
    return True


def voices() -> tuple[str, ...]:
    return ("low", "high")


def say(utterance: Utterance) -> Speech:
    base_hz = 200 if utterance.voice == "low" else 400
    time = np.arange(int(_RATE_HZ / 10 / utterance.speed)) / _RATE_HZ
    tones = [np.sin(2 * np.pi * (base_hz + ord(letter)) * time) for letter in utterance.text]
    return Speech(np.concatenate(tones).astype(np.float32) * 0.3, _RATE_HZ)
