"""Utterances of many voices, by the speech engines that are installed (the plugins of edgekws/data/synthesis)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import ModuleType

import numpy as np

from edgekws import machine, plugins
from edgekws.data import audio
from edgekws.data.phrase import effects
from edgekws.data.phrase.bank import Bank
from edgekws.data.phrase.utterance import Utterance
from edgekws.data.reject.vocabulary import WORDS
from edgekws.errors import ConfigError, DataError, EdgeKwsError

KIND = "speech_engines"
_SPEEDS, _PITCHES, _VARIATIONS = (0.75, 1.25), (0.7, 1.4), (0.1, 1.0)
_ENDINGS = ("", ".", "!", "?", ",")
_SENTENCE_WORDS = (5, 12)
_PEAK = 20_000

Progress = Callable[[int, int], None]
"""(clips done, clips in all)"""


@dataclass(frozen=True)
class Engine:
    """An engine that is installed."""

    name: str
    module: ModuleType


def engines(asked: Sequence[str] = ()) -> list[Engine]:
    """The engines that are installed, of those `asked` for; of all when none is.

    Raises ConfigError, with what to install, when none is installed or one that was asked for is not.
    """
    names = [plugins.find(KIND, name).name for name in asked] or plugins.names(KIND)
    every = [Engine(name, plugins.load(KIND, name)) for name in names]
    there = [engine for engine in every if engine.module.available()]
    missing = [engine for engine in every if engine not in there]
    if not there or (asked and missing):
        hint = "install one: " + "; or ".join(f"{engine.module.HOW_TO_GET} ({engine.name})" for engine in missing)
        raise ConfigError(
            f"a speech engine should be installed: {', '.join(engine.name for engine in missing)}",
            got="none",
            hint=hint,
        )
    return there


def shared(count: int, among: Sequence[Engine]) -> dict[str, int]:
    """How many of `count` clips each engine says, by the share that it states."""
    total = sum(engine.module.SHARE for engine in among)
    return {engine.name: max(1, round(count * engine.module.SHARE / total)) for engine in among}


def utterances(
    engine: Engine, texts: Sequence[str], count: int, seed: int, is_phonemes: bool = False
) -> list[Utterance]:
    """`count` utterances of the texts in turn: voices in turn, and speed, pitch and ending drawn."""
    rng, voices = np.random.default_rng([seed, *engine.name.encode()]), engine.module.voices()
    results = []
    for number in range(count):
        text = texts[number % len(texts)] + ("" if is_phonemes else str(rng.choice(_ENDINGS)))
        voice = voices[(number // len(texts) + number) % len(voices)]
        speed, pitch, variation = (float(rng.uniform(*bounds)) for bounds in (_SPEEDS, _PITCHES, _VARIATIONS))
        own = seed * 1_000_003 + number
        results.append(Utterance(text, voice, speed, pitch, variation, own, is_phonemes))
    return results


def sentences(count: int, without: Iterable[str], rng: np.random.Generator) -> list[str]:
    """Strings of common words, none of them in `without` (words in lower case)."""
    refused = set(without)
    words = [word for word in WORDS if word not in refused]
    return [" ".join(rng.choice(words, int(rng.integers(*_SENTENCE_WORDS)))) for _ in range(count)]


def say(engine: Engine, spoken: Sequence[Utterance], rate_hz: int, progress: Progress) -> Bank:
    """What the engine says, trimmed, int16 at `rate_hz`; utterances without sound are left out.

    Several at once, on the cores that there are. Raises the engine's error when all fail.
    """
    errors: list[EdgeKwsError] = []

    def attempt(utterance: Utterance) -> np.ndarray | None:
        try:
            return _clip(engine, utterance, rate_hz)
        except DataError as error:
            errors.append(error)
            return None

    clips: list[np.ndarray | None] = [attempt(each) for each in spoken[:1]]  # loads the engine, once
    with ThreadPoolExecutor(machine.cores()) as pool:
        for clip in pool.map(attempt, spoken[1:]):
            clips.append(clip)
            progress(len(clips), len(spoken))
    heard = [
        (clip, f"{engine.name}/{each.voice}") for clip, each in zip(clips, spoken, strict=True) if clip is not None
    ]
    if not heard and errors:
        raise errors[0]
    return Bank(tuple(clip for clip, _ in heard), tuple(name for _, name in heard))


def _clip(engine: Engine, utterance: Utterance, rate_hz: int) -> np.ndarray | None:
    said = engine.module.say(utterance)
    if not len(said.samples) or float(np.abs(said.samples).max()) < 1e-4:
        return None
    level = _PEAK / 32_768 / float(np.abs(said.samples).max())
    samples = audio.convert((said.samples * level)[:, None], said.rate_hz, rate_hz)
    return effects.trimmed(samples, rate_hz)
