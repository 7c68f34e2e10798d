"""Streaming wake word of MLPerf Tiny (sww01): a recording as the board hears it, scored as the benchmark scores it.

Samples go over the serial line, not over I2S, and as fast as the board takes them, between the benchmark's `start` and
`stop` where the firmware has them. The board's scores are proved by
their checksum to be those of this computer, whose pulses are counted; frames before the first whole input, 0.96 s, give
none. Cost per hop as in stream mode, whose share of the time is the duty cycle.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from edgekws.errors import ConfigError
from edgekws.graph.stream.plan import plan
from edgekws.mlperf import sww01
from edgekws.types import Detection
from firmware_io.bench.modes import Figures, Setup, stream
from firmware_io.build import model_id
from firmware_io.listening.board import Listener
from firmware_io.protocol import commands

ORDER = 5
_HINT = "import it with `edgekws import --features sww01-fixed-point`"


class Runner(stream.Runner):
    """One recording on one device, whose session has been started."""

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self._words: tuple[tuple[float, float], ...] = ()
        self._has_commands = False

    def measure(self) -> None:
        """Raises ConfigError without a recording and its words, and for a model of another front end."""
        self._prepare()
        super().measure()

    def _prepare(self) -> None:
        given, graph = self._setup.plan, self._setup.graph
        if given.audio is None or given.labels is None:
            got = "--labels alone" if given.labels else "--audio alone" if given.audio else "neither"
            raise ConfigError("sww01 mode needs --audio FILE.wav and --labels FILE.json", got=got)
        spec, step_rows = graph.front_end, plan(graph).step_rows
        if spec.definition != "sww01" or step_rows != 1:
            got = f"definition {spec.definition!r}, a step of {step_rows} rows"
            raise ConfigError("sww01 mode needs a model of that benchmark", got=got, hint=_HINT)
        self._words = tuple(sww01.read_windows(given.labels))

    def sound(self) -> np.ndarray:
        """The recording, int16 [n], at the rate of the front end."""
        sound = self._setup.plan.sound
        assert sound is not None, "the caller decodes the recording"
        return sound

    def events(self, listener: Listener, blocks: Iterator[np.ndarray]) -> Iterator[Detection]:
        """With `start` and `stop` where the firmware has the benchmark's commands."""
        self._has_commands = self._setup.session.exchange(commands.identity).model == model_id.SWW01
        return listener.events(blocks, benchmark=self._has_commands)

    def check(self, listener: Listener) -> None:
        """The scores in the answer to `stop` are those of this computer."""
        given = listener.activations
        expected = self.scores[: len(given), 0].tolist()
        if self._has_commands and (list(given) != expected or (not given and len(self.scores))):
            self._reasons += ("the target activations of `stop` differ from the scores of this computer",)

    def section(self) -> Figures | None:
        cost = super().section()
        if cost is None:
            return None
        frame = plan(self._setup.graph).first_rows
        times, n = sww01.pulses(self.scores, frame), len(self._words)
        found = sww01.counts(times, self._words)
        rows = (
            ("true positives", float(found.true_positives), "words", n),
            ("false negatives", float(found.false_negatives), "words", n),
            ("false positives", float(found.false_positives), "events", len(times)),
        )
        return Figures((*rows, *cost.rows), cost.reasons, cost.estimates)
