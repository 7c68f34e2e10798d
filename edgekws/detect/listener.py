"""From a waveform to events: front end, graph over a stream, detector; in constant memory, for blocks of any size.

    samples int16 -> [front end] -> rows int8 -> [Graph.stream] -> scores int8 -> posteriors -> [detector] -> events

Every part is the definition in integers or the C that equals it, so that neither the blocks nor the engine change an
event. Float features are the exception: see FeatureSpec.arithmetic.
"""

from __future__ import annotations

import zlib
from dataclasses import replace
from typing import Protocol

import numpy as np

from edgekws.detect.clock import Clock
from edgekws.detect.detector import Detector, Event
from edgekws.detect.gate import GatedStream, level_values
from edgekws.detect.settings import Gate, Settings
from edgekws.errors import TargetError
from edgekws.features import extract, mfcc
from edgekws.features.spec import FeatureSpec
from edgekws.graph import io
from edgekws.graph.ir import Graph
from edgekws.graph.stream.plan import plan
from edgekws.types import Detection


class FrontEnd(Protocol):
    """Samples as they come -> rows of the network's input."""

    def push(self, samples: np.ndarray) -> np.ndarray:
        """int16 [k], any k -> int8 [rows, coefficients]."""


class Scorer:
    """The posteriors of a stream. engine: of the graph, see Graph.stream; by default the fastest here.

    Raises TargetError with the layer that forbids a stream, or for a level rule that needs the whole clip, and
    DataError where the front end is not known.
    """

    def __init__(
        self, graph: Graph, labels: tuple[str, ...], engine: str | None = None, gate: Gate | None = None
    ) -> None:
        """labels: those whose posteriors are wanted, in this order; they are keywords where there is a gate."""
        spec, stream = graph.front_end, graph.stream(engine)
        self._graph = graph
        self._stream = GatedStream(graph, stream, gate, labels, level_values(spec)) if gate else stream
        self._front_end = front_end(spec)
        self._columns = [graph.labels.index(label) for label in labels]
        self.clock = clock(graph)
        self.samples = 0
        """Samples so far."""
        self.scores_crc32 = 0
        """CRC-32 (as zlib computes it) of the int8 scores of all steps so far; boards compute it too."""

    def push(self, samples: np.ndarray) -> np.ndarray:
        """int16 [k], any k -> int64 [steps, labels], thousandths, of the steps that they complete."""
        return np.asarray(self._graph.permille(self.scores(samples))[:, self._columns], np.int64)

    @property
    def resting(self) -> float | None:
        """The share of the steps so far in which the network rested; None without a gate."""
        if not isinstance(self._stream, GatedStream):
            return None
        return 1 - self._stream.computed / max(self._stream.steps, 1)

    def scores(self, samples: np.ndarray) -> np.ndarray:
        """As push, but int8 [steps, labels] of the graph."""
        self.samples += len(samples)
        scores = self._stream.push(self._front_end.push(samples))
        self.scores_crc32 = zlib.crc32(np.ascontiguousarray(scores).tobytes(), self.scores_crc32)
        return scores


class Listener:
    """The keywords in a stream, as they are heard. graph, settings: as of a model folder; engine: see Scorer.

    Raises what Scorer raises, and ConfigError for a keyword that is no label of the graph.
    """

    def __init__(self, graph: Graph, settings: Settings, engine: str | None = None) -> None:
        settings.indices(graph.labels)
        self.scorer = Scorer(graph, settings.keywords, engine, settings.gate)
        self.detector = Detector(settings)
        self._sha256 = io.digest(graph)
        self.posteriors = np.zeros((0, len(settings.keywords)), np.int64)
        """Of the steps that the last push completed, int64 [steps, keywords]: what a display draws."""

    @property
    def clock(self) -> Clock:
        """Which samples a step has heard."""
        return self.scorer.clock

    @property
    def samples(self) -> int:
        """Samples so far."""
        return self.scorer.samples

    def push(self, samples: np.ndarray) -> list[Detection]:
        """int16 [k], any k -> the events of the steps that they complete."""
        self.posteriors = self.scorer.push(samples)
        return [self.detection(event) for event in self.detector.push(self.posteriors)]

    def detection(self, event: Event) -> Detection:
        """An event with the name and the time that it stands for."""
        keyword = self.detector.settings.keywords[event.keyword]
        return Detection(keyword, self.clock.samples(event.step), event.score, self._sha256)


def clock(graph: Graph) -> Clock:
    """Of the steps of a graph. Raises TargetError with the layer that forbids a stream."""
    spec, steps = graph.front_end, plan(graph)
    first = spec.window_samples + (steps.first_rows - 1) * spec.hop_samples
    return Clock(first, steps.step_rows * spec.hop_samples, spec.rate_hz)


def front_end(spec: FeatureSpec) -> FrontEnd:
    """The front end of a stream. Raises TargetError for a level rule that needs the whole clip."""
    if spec.level != "stream":
        raise TargetError(
            "a stream needs a front end whose level does not change",
            got=f'level = "{spec.level}", which divides by the loudest sample of a whole clip',
            hint='train with level = "stream" under [features] of the recipe',
        )
    return extract.front_end(spec) if spec.arithmetic == "fixed" else _FloatFrontEnd(spec)


class _FloatFrontEnd:
    """The float reference over a stream: for models whose features no board computes."""

    def __init__(self, spec: FeatureSpec) -> None:
        self._spec, self._held, self._skip = spec, np.zeros(0, np.int16), 0

    def push(self, samples: np.ndarray) -> np.ndarray:
        spec = self._spec
        held = np.concatenate([self._held, samples])
        count = max(0, 1 + (len(held) - spec.window_samples) // spec.hop_samples)
        self._held = held[count * spec.hop_samples :]
        if not count:
            return np.zeros((0, spec.coefficients), np.int8)
        used = held[: (count - 1) * spec.hop_samples + spec.window_samples]
        return np.asarray(mfcc.quantize(spec, mfcc.mfcc(replace(spec, clip_samples=len(used)), used[None]))[0])
