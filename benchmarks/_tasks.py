"""Synthetic selection tasks with planted label errors: an indication, not a claim about speech.

A word is one or several points in a latent space. A clip is its word's point plus noise, mostly along directions that
all words share (speakers, microphones), mapped to the embedding by a fixed random layer with a saturating nonlinearity.
A mislabelled clip has a word's name and the vector of another word or of noise. The test set has DataPerf's class
ratios: a quarter as many clips of a target as in the pool, as many of each other word, and as many unseen words with
twice as many clips.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgekws.curate.select import Pool

TARGETS = 5


@dataclass(frozen=True)
class Task:
    """apart: distance of words; near: distance of a similar other word to each target, as a share of it (0: none).

    modes: points per word; style: scale of the shared variation; tails: degrees of freedom of the rest (Student's t).
    wrong: share of mislabelled clips; noise: share of these that are noise rather than another word.
    """

    title: str
    dimensions: int = 96
    latent: int = 24
    apart: float = 1.0
    near: float = 0.0
    modes: int = 1
    style: float = 1.2
    tails: float = 0.0
    wrong: float = 0.1
    noise: float = 0.3
    pool_each: tuple[int, ...] = (120,) * TARGETS
    words: int = 24
    pool_word: int = 60


TASKS = {
    "plain": Task("8 % label errors", wrong=0.08),
    "wrong": Task("20 % label errors", wrong=0.20),
    "noise": Task("12 % label errors, all of them noise", wrong=0.12, noise=1.0),
    "near": Task("each target has a word that sounds like it", near=0.45),
    "modes": Task("three ways to say each word", modes=3, apart=1.2, wrong=0.12),
    "tails": Task("heavy tails (Student's t, 3 degrees of freedom)", tails=3.0, style=1.0),
    "uneven": Task("targets of 240 to 30 clips", pool_each=(240, 160, 90, 50, 30), wrong=0.12),
    "wide": Task("512 dimensions, strong speakers", dimensions=512, latent=48, style=1.6, apart=0.9, wrong=0.12),
}


@dataclass(frozen=True)
class Case:
    """A pool and its test set. wrong: bool [clips of the pool]; vectors: [n, d]; truth: int [n], other words last."""

    pool: Pool
    wrong: np.ndarray
    vectors: np.ndarray
    truth: np.ndarray


class _World:
    """The words and the embedding of one case."""

    def __init__(self, task: Task, rng: np.random.Generator) -> None:
        self.task, self.rng = task, rng
        count = TARGETS + 2 * task.words
        self.places = rng.normal(size=(count, task.modes, task.latent)) * task.apart
        if task.near:
            for target in range(TARGETS):
                for other in (TARGETS + target, TARGETS + task.words + target):  # one in the pool, one unseen
                    moved = rng.normal(size=(task.modes, task.latent)) * task.near * task.apart
                    self.places[other] = self.places[target] + moved
        self.shared = rng.normal(size=(4, task.latent)) * task.style / np.sqrt(task.latent) * 2
        self.layer = rng.normal(size=(task.latent, task.dimensions)) / np.sqrt(task.latent)

    def clips(self, words: np.ndarray) -> np.ndarray:
        """Vectors of one clip of each word; -1 is noise."""
        rng, n, latent = self.rng, len(words), self.task.latent
        mode = rng.integers(self.task.modes, size=n)
        rest = rng.standard_t(self.task.tails, size=(n, latent)) if self.task.tails else rng.normal(size=(n, latent))
        place = np.where((words < 0)[:, None], 0.0, self.places[words, mode])
        moved = place + rng.normal(size=(n, 4)) @ self.shared + 0.7 * rest
        raw = moved @ self.layer
        return np.where(raw > 0, raw, 1.7 * np.expm1(np.minimum(raw, 0))).astype(np.float32)

    def planted(self, words: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(the word really spoken, -1 for noise; bool: mislabelled)."""
        wrong = self.rng.random(len(words)) < self.task.wrong
        noise = self.rng.random(len(words)) < self.task.noise
        another = self.rng.integers(len(self.places), size=len(words))
        return np.where(wrong, np.where(noise, -1, another), words), wrong


def case(name: str, seed: int) -> Case:
    """The same name and seed give the same case."""
    task = TASKS[name]
    rng = np.random.default_rng([seed, *name.encode()])
    world = _World(task, rng)
    known = np.arange(TARGETS, TARGETS + task.words)
    words = np.concatenate([np.repeat(np.arange(TARGETS), task.pool_each), np.repeat(known, task.pool_word)])
    spoken, wrong = world.planted(words)
    names = [f"w{word:02d}" for word in range(len(world.places))]
    ids = tuple(f"{names[word]}/{place:05d}.wav" for place, word in enumerate(words))
    classes = np.where(words < TARGETS, words, -1)
    pool = Pool(tuple(names[:TARGETS]), ids, classes, world.clips(spoken), tuple(names[word] for word in words))
    parts = [(np.arange(TARGETS), [each // 4 for each in task.pool_each])]
    parts += [(known, task.pool_word), (known + task.words, 2 * task.pool_word)]
    tested = np.concatenate([np.repeat(words, counts) for words, counts in parts])
    return Case(pool, wrong, world.clips(tested), np.minimum(tested, TARGETS))
