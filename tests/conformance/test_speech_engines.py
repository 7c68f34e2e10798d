"""Every speech engine that is installed says a word with each of its voices; every one says how to get it."""

import numpy as np
import pytest

from edgekws import plugins
from edgekws.data.phrase.utterance import Utterance

SLOW = ("kokoro", "piper")
"""Neural engines load 60 to 90 MB."""
NAMES = [
    pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else []) for name in plugins.names("speech_engines")
]


@pytest.fixture(params=NAMES)
def engine(request):
    module = plugins.load("speech_engines", request.param)
    assert "install" in module.HOW_TO_GET
    assert module.SHARE > 0
    if not module.available():
        pytest.skip(f"not installed: {module.HOW_TO_GET}")
    return module


def test_voices_say_a_word(engine):
    voices = engine.voices()
    assert len(set(voices)) == len(voices)
    for voice in voices[:3]:
        said = engine.say(Utterance("computer", voice))
        assert said.samples.dtype == np.float32
        assert 0.25 < len(said.samples) / said.rate_hz < 3
        assert 0.01 < np.abs(said.samples).max() <= 1.5


def test_a_faster_voice_needs_less_time(engine):
    fast, slow = (engine.say(Utterance("computer", engine.voices()[0], speed, variation=0)) for speed in (1.4, 0.7))
    assert len(fast.samples) < len(slow.samples)


def test_phonemes_are_said_where_the_engine_can(engine):
    if not engine.SAYS_PHONEMES:
        pytest.skip("it reads text only")
    said = engine.say(Utterance("k@mpj'u:t3", engine.voices()[0], is_phonemes=True))
    assert 0.25 < len(said.samples) / said.rate_hz < 3
