"""Runs a session over a faulty wire: each run ends in time, with correct results or with one clear error.

`run` is one seeded run with any device; `faults_host` and `faults_fake` are the devices. A wrong result that is
accepted, a hang, or an exception that is no EdgeKwsError is a finding.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np

from edgekws.errors import EdgeKwsError
from edgekws.features.spec import FeatureSpec
from edgekws.graph import interp
from edgekws.graph.ir import INPUT, Graph, Node, Requant
from edgekws.graph.softmax import permille
from firmware_io.protocol.session import Session, Timeouts
from fuzz.wire import Device, Wire, random_faults

T = TypeVar("T")
CLIPS_PER_RUN = 2
_BYTES_TO, _BYTES_FROM, _BYTES_OF_HELP = 3_400, 1_800, 1_000
"""Approximate bytes of one run without faults in each direction; faults are placed within them.

The answer to `help` is added for a device with a build id.
"""
_LAPS = re.compile(rb"m-lap-us-(\d+)\r\nm-lap-us-(\d+)\r\nm-infer-done\r\n")


@dataclass(frozen=True)
class Clips:
    """features: int8 [n, frames, coefficients]. scores, permille: what a device must answer for each clip."""

    features: np.ndarray
    scores: tuple[tuple[int, ...], ...]
    permille: tuple[tuple[int, ...], ...]


def wide_graph(seed: int = 0) -> Graph:
    """A network of the usual sizes, 490 bytes of input and twelve scores, in one layer, so that it runs fast."""
    spec, rng = FeatureSpec(), np.random.default_rng(seed)
    weight = rng.integers(-127, 128, (12, spec.frames * spec.coefficients)).astype(np.int8)
    requant = Requant(np.zeros(12, np.int32), np.ones(12, np.uint8), np.full(12, 14, np.uint8), -128, 127)
    node = Node("fc", "linear", (INPUT,), requant, (*spec.shape, 1), (1, 1, 12), weight)
    labels = tuple(f"word{i}" for i in range(12))
    return Graph((node,), labels, spec, "tinpu", "wide", input_scale=1 / 32)


def clips_of(graph: Graph, count: int = 6) -> Clips:
    shape = (count, *graph.features.shape)
    features = np.random.default_rng(0).integers(-128, 128, shape).astype(np.int8)
    scores = interp.run(graph, features)
    texts = permille(scores, graph.score_scale)
    return Clips(features, tuple(map(tuple, scores.tolist())), tuple(map(tuple, texts.tolist())))


class WrongError(AssertionError):
    """The session accepted a wrong result."""


def run(
    rng: random.Random,
    device: Device,
    clips: Mapping[str, Clips],
    timeouts: Timeouts,
    budget_s: float,
    check: bool = True,
) -> str:
    """One run. Returns its outcome in words; raises AssertionError for a finding.

    clips: the same for each build of the device, with its answers. check: whether the device has the extension `check`;
    without it a wrong result is no finding.
    """
    count = rng.choice((1, 1, 1, 2, 3, 8))
    bytes_from = _BYTES_FROM + (_BYTES_OF_HELP if device.build else 0)
    wire = Wire(device, random_faults(rng, count, _BYTES_TO, bytes_from), rng, budget_s)
    session = Session(wire, timeouts, device.clock)
    talk = _Talk(session, wire, device, clips)
    try:
        outcome = talk.run(rng)
        assert session.has_check == check, "the session is wrong about the device's `check`"
    except EdgeKwsError as error:
        assert error.got and error.hint, f"an error without cause or hint: {error}"
        return type(error).__name__
    except WrongError as error:
        if check:
            raise
        return f"without check: {error}"
    return outcome if check else "without check: correct"


class _Talk:
    """What a bench does in a session, and the comparison of each result with the build that the session named."""

    def __init__(self, session: Session, wire: Wire, device: Device, clips: Mapping[str, Clips]) -> None:
        self._session = session
        self._wire = wire
        self._device = device
        self._clips = clips

    def run(self, rng: random.Random) -> str:
        session, wire = self._session, self._wire
        session.start()
        resets = wire.resets
        _expect(session.build_id in self._clips, "A WRONG BUILD ID was accepted")
        clips = self._clips[session.build_id or ""]
        chosen = rng.sample(range(len(clips.features)), CLIPS_PER_RUN)
        for index in chosen:
            answer = self._result(partial(session.classify, clips.features[index]))
            _expect(answer.scores == clips.scores[index], "WRONG SCORES were accepted")
            _expect(answer.permille == clips.permille[index], "WRONG PROBABILITIES were accepted")
        _expect(self._time() == clips.permille[chosen[-1]], "WRONG PROBABILITIES of a run")
        hidden = wire.resets > resets
        _expect(self._result(session.results) == clips.permille[chosen[-1]], "WRONG PROBABILITIES at the end")
        _expect(not hidden, "A RESET was hidden")
        return "correct after a retry" if session.transfers.repeated else "correct"

    def _time(self) -> tuple[int, ...]:
        """Time three inferences. The window must be the last one that the device reported."""
        session = self._session
        if session.mode == "energy":
            return self._result(lambda: session.infer_energy(3, 1)).permille
        window = self._result(lambda: session.infer(3, 1))
        last = (_LAPS.findall(self._wire.received) or [(-1, -1)])[-1]
        _expect((window.start_us, window.end_us) == tuple(map(int, last)), "A WRONG TIME was accepted")
        return window.permille

    def _result(self, exchange: Callable[[], T]) -> T:
        """The result of `exchange`, before which the device must have run the build that the session named."""
        build = self._device.build
        result = exchange()
        _expect(build == self._session.build_id, "A RESULT OF ANOTHER BUILD was accepted")
        return result


def _expect(correct: bool, finding: str) -> None:
    if not correct:
        raise WrongError(finding)
