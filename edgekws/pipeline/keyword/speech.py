"""Everything that speech engines say for a keyword: the phrase, near misses, and free speech without it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgekws.data.phrase import bank, judge, phonemes, speaking
from edgekws.data.phrase.bank import EMPTY, Bank
from edgekws.data.phrase.judge import Judged
from edgekws.data.reject.vocabulary import WORDS
from edgekws.errors import ConfigError
from edgekws.pipeline.keyword.plan import LONGEST_PHRASE_S, RATE_HZ, Folder, KeywordPlan
from edgekws.types import Progress

PHRASE, NEAR, FREE, UNTRAINED = "phrase", "near", "free", "untrained"
_NEAREST_WORDS, _ALTERED, _SWAPS = 40, 48, 12
_SENTENCES = 80
_SLOW_SHARE = 4
"""Neural engines say a quarter as many near misses and sentences."""


@dataclass(frozen=True)
class Speech:
    """phrase: what was kept of the phrase, and why the rest was not. untrained: free speech of other voices and texts,
    for the threshold.
    """

    phrase: Judged
    near: Bank
    free: Bank
    untrained: Bank


@dataclass(frozen=True)
class _Job:
    """Texts, or phonemes, that one engine says."""

    name: str
    engine: speaking.Engine
    texts: Sequence[str]
    count: int
    seed: int
    is_phonemes: bool = False


def speak(plan: KeywordPlan, folder: Folder, recorded: Bank, progress: Progress) -> Speech:
    """Let the engines speak, or read what they said in an interrupted run.

    Raises ConfigError without an engine, and for a phrase that is longer than the longest window.
    """
    engines = speaking.engines(plan.engines)
    said: dict[str, Bank] = dict.fromkeys((PHRASE, NEAR, FREE, UNTRAINED), EMPTY)
    for job in _jobs(plan, engines):
        said[job.name.split("-")[0]] += _done(job, folder, progress)
    phrase = judge.judged(said[PHRASE], recorded, RATE_HZ)
    _require_length(plan, phrase.kept + recorded)
    return Speech(phrase, said[NEAR], said[FREE], said[UNTRAINED])


def _done(job: _Job, folder: Folder, progress: Progress) -> Bank:
    path = folder.bank(job.name)
    if path.exists():
        return bank.load(path)
    utterances = speaking.utterances(job.engine, job.texts, job.count, job.seed, job.is_phonemes)
    clips = speaking.say(
        job.engine, utterances, RATE_HZ, lambda done, total: progress(f"speech ({job.name})", done, total)
    )
    clips.save(path)
    return clips


def _jobs(plan: KeywordPlan, engines: list[speaking.Engine]) -> list[_Job]:
    rng = np.random.default_rng(plan.seed)
    texts, sounds = _near_misses(plan.phrase, rng)
    own = {word.lower() for word in plan.phrase.split()}
    free, untrained = (speaking.sentences(_SENTENCES, own, rng) for _ in range(2))
    counts = speaking.shared(plan.spoken, engines)
    jobs = []
    for engine in engines:
        name, count = engine.name, counts[engine.name]
        others = max(4, count // (_SLOW_SHARE if engine.module.SHARE > 1 else 1))
        jobs.append(_Job(f"{PHRASE}-{name}", engine, [plan.phrase], count, plan.seed))
        jobs.append(_Job(f"{NEAR}-{name}", engine, texts, others, plan.seed + 1))
        if sounds and engine.module.SAYS_PHONEMES:
            jobs.append(_Job(f"{NEAR}-{name}-sounds", engine, sounds, count, plan.seed + 2, is_phonemes=True))
        jobs.append(_Job(f"{FREE}-{name}", engine, free, others // 2, plan.seed + 3))
        jobs.append(_Job(f"{UNTRAINED}-{name}", engine, untrained, others // 4, plan.seed + 4))
    return jobs


def _near_misses(phrase: str, rng: np.random.Generator) -> tuple[list[str], list[str]]:
    """Texts, and phonemes where espeak-ng is installed, that nearly sound like the phrase."""
    words = phrase.split()
    texts = [str(word) for word in rng.choice(WORDS, _NEAREST_WORDS)]
    sounds: list[str] = []
    if phonemes.available():
        whole = phonemes.of([phrase])[0]
        texts = phonemes.nearest(whole, WORDS, _NEAREST_WORDS)
        sounds = phonemes.altered(whole, _ALTERED, rng) + phonemes.parts(whole) * 3
    if len(words) > 1:
        swaps = [str(word) for word in rng.choice(WORDS, 2 * _SWAPS)]
        texts += words * 4
        texts += [" ".join((*words[:-1], word)) for word in swaps[:_SWAPS]]
        texts += [" ".join((word, *words[1:])) for word in swaps[_SWAPS:]]
    return [text for text in texts if phrase.lower() not in text.lower()], sounds


def _require_length(plan: KeywordPlan, clips: Bank) -> None:
    seconds = float(np.median([len(clip) for clip in clips.clips])) / RATE_HZ if len(clips) else 0.0
    if not len(clips) or seconds > LONGEST_PHRASE_S:
        expected = f"the phrase should be said in at most {LONGEST_PHRASE_S:g} s, the longest window of the network"
        got = f"{seconds:.1f} s for {plan.phrase!r}" if len(clips) else f"no clip of {plan.phrase!r} that can be used"
        raise ConfigError(expected, got=got, hint="choose a shorter phrase, of two to five syllables")
