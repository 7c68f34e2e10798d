"""What the finished graph makes of sound: posteriors of streams, the threshold, and the figures of the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgekws.data.phrase.bank import Bank
from edgekws.detect.clock import Clock
from edgekws.detect.evaluation import budget, figures
from edgekws.detect.evaluation.budget import Budgeted
from edgekws.detect.evaluation.streams import Heard, Piece, Word, hours
from edgekws.detect.settings import Settings
from edgekws.features import extract
from edgekws.features.spec import FeatureSpec, known
from edgekws.graph.ir import Graph
from edgekws.pipeline.keyword import scenery
from edgekws.pipeline.keyword.sound import TEST, VALIDATION
from edgekws.stats import wilson
from edgekws.types import Progress

REFRACTORY_S, TAU_MS = 1.0, 600.0
_BEFORE_S, _AFTER_S, _GAP_S = 1.7, 0.8, 0.3
_BLOCK_S = 30
_LEVELS_DBFS, _SNR_DB = (-36.0, -18.0), (10.0, 30.0)


@dataclass(frozen=True)
class Listener:
    """A graph that turns sound into posteriors of its one word. word: its place among the labels."""

    graph: Graph
    word: int

    @property
    def spec(self) -> FeatureSpec:
        return known(self.graph.features, self.graph.name)

    def posteriors(self, samples: np.ndarray) -> tuple[np.ndarray, Clock]:
        """int16 [n] -> thousandths int16 [steps, 1]."""
        front_end, stream, spec = extract.front_end(self.spec), self.graph.stream(), self.spec
        block = _BLOCK_S * spec.rate_hz
        starts = range(0, len(samples), block)
        scores = np.concatenate([stream.push(front_end.push(samples[start : start + block])) for start in starts])
        first = spec.window_samples + (stream.first_rows - 1) * spec.hop_samples
        clock = Clock(first, stream.step_rows * spec.hop_samples, spec.rate_hz)
        return self.graph.permille(scores)[:, self.word : self.word + 1].astype(np.int16), clock

    def heard(self, clips: Bank, name: str, synthetic: bool, seed: int) -> list[Heard]:
        """One stream of all clips, each at a level drawn for it, with short pauses; none without clips."""
        if not len(clips):
            return []
        rng, pause = np.random.default_rng(seed), np.zeros(int(_GAP_S * self.spec.rate_hz), np.int16)
        parts, pieces, at = [], [], 0
        for clip, title in clips:
            pieces.append(Piece(at, title))
            parts += [scenery.levelled(clip, float(rng.uniform(*_LEVELS_DBFS))), pause]
            at += len(clip) + len(pause)
        samples = np.concatenate(parts)
        posteriors, clock = self.posteriors(samples)
        return [Heard(name, posteriors, len(samples), clock, (), tuple(pieces), synthetic)]

    def said(self, clips: Bank, noises: Bank, seed: int) -> list[Heard]:
        """A stream for each clip of the phrase, in noise of 10 to 30 dB below it."""
        rng, streams = np.random.default_rng(seed), []
        for clip, title in clips:
            sound, onset = _in_context(clip, noises, self.spec.rate_hz, rng)
            posteriors, clock = self.posteriors(sound)
            word = Word(0, onset, onset + len(clip), clip=title)
            streams.append(Heard(title, posteriors, len(sound), clock, (word,)))
        return streams


def _in_context(clip: np.ndarray, noises: Bank, rate_hz: int, rng: np.random.Generator) -> tuple[np.ndarray, int]:
    """The clip with noise before, under and after it, and where it begins."""
    onset, spoken = int(_BEFORE_S * rate_hz), scenery.levelled(clip, float(rng.uniform(*_LEVELS_DBFS)))
    length = onset + len(clip) + int(_AFTER_S * rate_hz)
    noise = rng.normal(size=length)
    if len(noises):
        noise = np.resize(noises.clips[int(rng.integers(len(noises)))].astype(np.float64), length) + 1e-3 * noise
    power = float(np.sqrt(np.mean(spoken.astype(np.float64) ** 2)))
    noise *= power / float(np.sqrt(np.mean(noise**2))) * 10 ** (-rng.uniform(*_SNR_DB) / 20)
    noise[onset : onset + len(clip)] += spoken
    return np.asarray(np.clip(np.round(noise), -32_768, 32_767), np.int16), onset


def streams(
    listener: Listener, real: dict[str, Bank], untrained: Bank, seed: int, progress: Progress
) -> dict[str, list[Heard]]:
    """Streams without the phrase, that nothing was trained on: of the user's sound, and of synthesized speech."""
    half = len(untrained) // 2
    synthetic = {VALIDATION: untrained.chosen(range(half)), TEST: untrained.chosen(range(half, len(untrained)))}
    result: dict[str, list[Heard]] = {}
    for done, part in enumerate((VALIDATION, TEST), 1):
        result[part] = listener.heard(real[part], f"recordings ({part})", False, seed)
        result[part] += listener.heard(synthetic[part], f"synthesized speech ({part})", True, seed + 1)
        progress("judgement", done, 2)
    return result


def threshold(validation: Sequence[Heard], phrase: str, smoothing_steps: int, budget_per_hour: float) -> Budgeted:
    """The lowest threshold within the budget on the validation streams."""
    clock = validation[0].clock
    refractory = round(REFRACTORY_S * clock.rate_hz / clock.step)
    return budget.lowest(validation, phrase, smoothing_steps, refractory, budget_per_hour)


def background(heard: Sequence[Heard], settings: Settings) -> dict[str, Any]:
    """False accepts of one part: events, hours, the rate with its exact Poisson interval; real and synthetic hours."""
    real = [stream for stream in heard if not stream.synthetic]
    events = sum(len(stream.events(settings)) for stream in heard)
    rate = figures.rate(events, hours(heard)).model_dump()
    real_events = sum(len(stream.events(settings)) for stream in real)
    real_rate = figures.rate(real_events, hours(real)).model_dump()
    return {**rate, "real": real_rate, "synthetic_hours": hours(heard) - hours(real)}


def phrases(heard: Sequence[Heard], settings: Settings) -> dict[str, Any] | None:
    """Missed recordings of the phrase with Wilson's interval, the latency, and their names; None without any."""
    if not heard:
        return None
    results = figures.evaluate((), heard, settings, TAU_MS)
    interval = wilson(results.missed.count, results.missed.n)
    return {
        "missed": results.missed.count,
        "n": results.missed.n,
        "rate": results.missed.value,
        "interval": [interval.low, interval.high],
        "latency": results.latency.model_dump(),
        "names": [miss.recording for miss in results.wrong_misses],
    }
