"""Batches of streams, and their loss.

    stream   |----------------------------- 61 s -----------------------------|
    pieces   |--- 64 steps ---|
                         |--- 64 steps ---|        overlapping by what a clip needs, so that each step counts once

A group of streams is composed while the network trains on the groups before it. Everything is drawn from (seed, epoch,
number of the stream).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch.nn import functional

from edgekws.data.labels import SILENCE, UNKNOWN
from edgekws.data.scenes.compose import Composer, Sources
from edgekws.data.scenes.targets import IGNORED, targets
from edgekws.errors import ConfigError
from edgekws.features import extract
from edgekws.features.spec import FeatureSpec
from edgekws.recipe import StreamSection
from edgekws.training.batches import Part
from edgekws.training.scoring import network_input

_PIECES, _GROUP = 24, 20
"""Pieces of a stream, streams of a group."""

Group = tuple[np.ndarray, np.ndarray]
"""(features of pieces [n, rows, coefficients], targets int64 [n, steps])"""


@dataclass(frozen=True)
class Streams:
    """Composed streams to train on. step_rows: of `positions.slide`."""

    plan: StreamSection
    sources: Sources
    labels: tuple[str, ...]
    features: FeatureSpec
    batch: int
    seed: int
    step_rows: int

    def __post_init__(self) -> None:
        missing = [label for label in (SILENCE, UNKNOWN) if label not in self.labels]
        if missing:
            hint = "prepare the data set with its reject class, or omit [stream]"
            raise ConfigError(f"streams need the labels {SILENCE} and {UNKNOWN}", got=", ".join(self.labels), hint=hint)

    @property
    def steps_per_epoch(self) -> int:
        return self._rounds * (self.plan.passes * _GROUP * _PIECES // self.batch)

    @property
    def _rounds(self) -> int:
        hours = self._samples * _GROUP / self.features.rate_hz / 3600
        return max(1, round(self.plan.hours / hours))

    @property
    def _rows(self) -> int:
        """Of a piece."""
        return self.features.frames + (self.plan.piece_steps - 1) * self.step_rows

    @property
    def _samples(self) -> int:
        """Of a stream."""
        rows = self.features.frames + (_PIECES * self.plan.piece_steps - 1) * self.step_rows
        return self.features.window_samples + (rows - 1) * self.features.hop_samples

    def batches(self, epoch: int) -> Iterator[list[Part]]:
        """The batches of one epoch; inputs float32 [n, 1, rows, coefficients], labels int64 [n, steps]."""
        composer, rng = Composer(self.plan.scenes, self.sources), np.random.default_rng([self.seed, epoch])
        recent: deque[Group] = deque(maxlen=self.plan.passes)
        with ThreadPoolExecutor(1) as pool:
            upcoming = pool.submit(self._group, composer, epoch, 0)
            for number in range(self._rounds):
                recent.append(upcoming.result())
                if number + 1 < self._rounds:
                    upcoming = pool.submit(self._group, composer, epoch, number + 1)
                yield from self._of_groups(list(recent), rng)

    def _of_groups(self, groups: list[Group], rng: np.random.Generator) -> Iterator[list[Part]]:
        features, answers = (np.concatenate(each) for each in zip(*groups, strict=True))
        wanted = self.plan.passes * _GROUP * _PIECES // self.batch * self.batch
        order = np.concatenate([rng.permutation(len(features)) for _ in range(-(-wanted // len(features)))])[:wanted]
        for at in range(0, wanted, self.batch):
            chosen = order[at : at + self.batch]
            yield [Part(network_input(features[chosen], self.features), torch.from_numpy(answers[chosen]), 1.0)]

    def _group(self, composer: Composer, epoch: int, number: int) -> Group:
        each = [self._stream(composer, [self.seed, epoch, number * _GROUP + at]) for at in range(_GROUP)]
        return np.concatenate([one[0] for one in each]), np.concatenate([one[1] for one in each])

    def _stream(self, composer: Composer, seed: list[int]) -> Group:
        stream = composer.compose(self._samples, np.random.default_rng(seed))
        rows = extract.features(replace(self.features, clip_samples=self._samples), stream.samples[None])[0]
        hop, steps = self.plan.piece_steps * self.step_rows, self.plan.piece_steps
        pieces = np.stack([rows[at * hop : at * hop + self._rows] for at in range(_PIECES)])
        ends = self.features.clip_samples + np.arange(_PIECES * steps) * self.step_rows * self.features.hop_samples
        numbers = self.labels.index(SILENCE), self.labels.index(UNKNOWN)
        clip = self.features.clip_samples
        answers = targets(stream.heard, ends, clip, self.features.rate_hz, *numbers)
        return pieces, answers.reshape(_PIECES, steps)

    def loss(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Weighted cross-entropy of all steps that have an answer. logits: [n * steps, labels]; labels: [n, steps].

        A step without a keyword counts more, the higher the probability of any keyword.
        """
        answers = labels.flatten()
        counted = answers != IGNORED
        logits, answers = logits[counted], answers[counted]
        losses = functional.cross_entropy(logits, answers, reduction="none")
        weights = self._weights(logits.device)[answers]
        with torch.no_grad():
            keywords = list(self.sources.keywords)
            accepted = functional.softmax(logits, 1)[:, keywords].amax(1)
            wrong = ~torch.isin(answers, torch.tensor(keywords, device=answers.device))
            weights = weights * (1 + self.plan.false_accept_weight * accepted * wrong)
        return (losses * weights).sum() / max(len(answers), 1)

    def _weights(self, device: torch.device) -> torch.Tensor:
        weights = torch.full((len(self.labels),), self.plan.keyword_weight, device=device)
        weights[self.labels.index(SILENCE)] = self.plan.silence_weight
        weights[self.labels.index(UNKNOWN)] = self.plan.unknown_weight
        return weights


def fitted(plan: StreamSection, sources: Sources, spec: FeatureSpec, seed: int) -> FeatureSpec:
    """`spec` with input scales that suit the rows of some composed streams."""
    composer, count = Composer(plan.scenes, sources), 60 * spec.rate_hz
    long = replace(spec, clip_samples=count)
    streams = [composer.compose(count, np.random.default_rng([seed, number])).samples for number in range(_GROUP)]
    values = np.concatenate([extract.values(long, extract.features(long, each[None]))[0] for each in streams])
    return spec.with_statistics(values.mean(0, dtype=np.float64), values.std(0, dtype=np.float64))
