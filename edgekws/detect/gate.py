"""The voice-activity gate in integers: while it is quiet, the network rests. firmware/stream/gate.h is its mirror in C.

level      of a row of features: the sum of its first `level_values` values. Of an MFCC the first one, which is the
           logarithm of the loudness: about one step a decibel
floor      in 1/256 of a level: at first the level of the first row; then after each row it rises by RISE, at most to
           the level, or falls by 1/8 of the difference
loud       a row whose level is `margin` or more above the floor before it
open       for the first `hangover` rows, and from a loud row on for `hangover` rows
closed     rows are kept, but the network does not run. A step that is complete then has the scores of rest: the highest
           value for one label that is no keyword, the lowest for all others
opens      the network takes the rows that it missed, or, where these are more than a clip, begins a new stream at the
           last step that lies a clip or more before. So the scores of an open step are those of a stream that began
           there; steps keep their times. Where a score depends on no more than a clip, as in networks without padding
           in time and without state, they are the scores without a gate
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from edgekws.detect.settings import Gate
from edgekws.errors import ConfigError
from edgekws.features.spec import FeatureSpec
from edgekws.graph.executor import Stream
from edgekws.graph.ir import Graph

RISE = 5
"""Of the floor after each row, in 1/256: with 50 rows a second about a decibel a second."""
FRACTION_BITS, FALL_BITS = 8, 3
_SCORE_MIN, _SCORE_MAX = -128, 127
_RESTING = ("_silence_", "_unknown_")


def level_values(spec: FeatureSpec) -> int:
    """Values of a row whose sum is its level: the first MFCC, or all bands of features that have no DCT."""
    return 1 if spec.definition == "mfcc" else spec.coefficients


def rest_label(labels: tuple[str, ...], keywords: tuple[str, ...]) -> int:
    """The label that a step without the network stands for. Raises ConfigError where every label is a keyword."""
    others = [label for label in (*_RESTING, *labels) if label in labels and label not in keywords]
    if not others:
        hint = 'remove "gate" from the detector, or train the model with a class for silence'
        raise ConfigError("a gate needs a label that is no keyword", got=", ".join(labels), hint=hint)
    return labels.index(others[0])


class Levels:
    """Which rows are open, row by row. values: see level_values. rows: of the hangover."""

    def __init__(self, margin: int, rows: int, values: int) -> None:
        self._margin, self._rows, self._values = margin << FRACTION_BITS, rows, values
        self._floor: int | None = None
        self._since = 0

    def push(self, row: np.ndarray) -> bool:
        """row: int8 [coefficients]."""
        level = int(row[: self._values].sum(dtype=np.int64)) << FRACTION_BITS
        if self._floor is None:
            self._floor = level
        elif level - self._floor >= self._margin:
            self._since = 0
        else:
            self._since = min(self._since + 1, self._rows)
        if level > self._floor:
            self._floor = min(self._floor + RISE, level)
        else:
            self._floor -= (self._floor - level) >> FALL_BITS
        return self._since < self._rows


class GatedStream:
    """A stream of the graph behind a gate, with the scores of every step.

    computed, steps: of the steps so far, those that the network ran for, and all. caught_up: rows that it took late.
    """

    def __init__(self, graph: Graph, stream: Stream, gate: Gate, keywords: tuple[str, ...], values: int) -> None:
        """stream: new, of this graph. values: see level_values. Raises ConfigError where every label is a keyword."""
        self._stream = stream
        self.step_rows, self.first_rows = stream.step_rows, stream.first_rows
        self._levels = Levels(gate.margin, gate.hangover_steps * self.step_rows, values)
        self._clip_rows = graph.clip_shape[0]
        self._rest = np.full((1, len(graph.labels)), _SCORE_MIN, np.int8)
        self._rest[0, rest_label(graph.labels, keywords)] = _SCORE_MAX
        self._kept = np.zeros((0, graph.clip_shape[1]), np.int8)
        self._rows = self._missed = 0
        self.computed = self.steps = self.caught_up = 0

    def push(self, rows: np.ndarray) -> np.ndarray:
        """rows int8 [k, coefficients], any k -> scores int8 [steps, labels] of the steps that they complete."""
        scores = [self._rest[:0]]
        for is_open, part in _runs(rows, [self._levels.push(row) for row in rows]):
            scores.append(self._run(part) if is_open else self._skip(part))
        made = np.concatenate(scores)
        self.steps += len(made)
        return made

    def _skip(self, rows: np.ndarray) -> np.ndarray:
        before = self._steps_after(self._rows)
        self._keep(rows)
        self._missed += len(rows)
        return np.repeat(self._rest, self._steps_after(self._rows) - before, axis=0)

    def _run(self, rows: np.ndarray) -> np.ndarray:
        if self._missed:
            self._catch_up()
        self._keep(rows)
        scores = self._stream.push(rows)
        self.computed += len(scores)
        return scores

    def _catch_up(self) -> None:
        """Scores of what was missed are of steps that have theirs."""
        count = self._missed
        if count > self._clip_rows:
            self._stream.reset()
            count = self._rows - (self._rows - self._clip_rows) // self.step_rows * self.step_rows
        self._stream.push(self._kept[len(self._kept) - count :])
        self.caught_up += count
        self._missed = 0

    def _keep(self, rows: np.ndarray) -> None:
        self._rows += len(rows)
        self._kept = np.concatenate([self._kept, rows])[-(self._clip_rows + self.step_rows - 1) :]

    def _steps_after(self, rows: int) -> int:
        return max(0, (rows - self.first_rows) // self.step_rows + 1)


def _runs(rows: np.ndarray, is_open: list[bool]) -> Iterator[tuple[bool, np.ndarray]]:
    """The rows in parts that are all open or all closed."""
    edges = [0, *(at for at in range(1, len(rows)) if is_open[at] != is_open[at - 1]), len(rows)]
    for start, stop in pairwise(edges):
        if stop > start:
            yield is_open[start], rows[start:stop]
