"""Runs a session over a faulty wire: each run ends in time, with correct results or with one clear error.

`run` is one seeded run with any device; `faults_host` and `faults_fake` are the devices. A wrong result that is
accepted, a hang, or an exception that is no EdgeKwsError is a finding.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgekws.errors import EdgeKwsError
from edgekws.features.spec import FeatureSpec
from edgekws.graph import interp
from edgekws.graph.ir import INPUT, Graph, Node, Requant
from edgekws.graph.softmax import permille
from firmware_io.protocol.session import Session, Timeouts
from fuzz.wire import Device, Wire, random_faults

CLIPS_PER_RUN = 2
_BYTES_TO, _BYTES_FROM = 3_400, 1_800
"""Approximate bytes of one run without faults in each direction; faults are placed within them."""
_LAPS = re.compile(rb"m-lap-us-(\d+)\r\nm-lap-us-(\d+)\r\nm-infer-done\r\n")


@dataclass(frozen=True)
class Clips:
    """features: int8 [n, frames, coefficients]. scores, permille: what a device must answer for each clip."""

    features: np.ndarray
    scores: tuple[tuple[int, ...], ...]
    permille: tuple[tuple[int, ...], ...]


def wide_graph() -> Graph:
    """A network of the usual sizes, 490 bytes of input and twelve scores, in one layer, so that it runs fast."""
    spec, rng = FeatureSpec(), np.random.default_rng(0)
    weight = rng.integers(-127, 128, (12, spec.frames * spec.coefficients)).astype(np.int8)
    requant = Requant(np.zeros(12, np.int32), np.ones(12, np.uint8), np.full(12, 14, np.uint8), -128, 127)
    node = Node("fc", "linear", (INPUT,), requant, (*spec.shape, 1), (1, 1, 12), weight)
    labels = tuple(f"word{i}" for i in range(12))
    return Graph((node,), labels, spec, "tinpu", "wide", input_scale=1 / 32)


def clips_of(graph: Graph, count: int = 6) -> Clips:
    shape = (count, graph.features.frames, graph.features.coefficients)
    features = np.random.default_rng(0).integers(-128, 128, shape).astype(np.int8)
    scores = interp.run(graph, features)
    texts = permille(scores, graph.score_scale)
    return Clips(features, tuple(map(tuple, scores.tolist())), tuple(map(tuple, texts.tolist())))


class WrongError(AssertionError):
    """The session accepted a wrong result."""


def run(
    rng: random.Random, device: Device, clips: Clips, timeouts: Timeouts, budget_s: float, check: bool = True
) -> str:
    """One run. Returns its outcome in words; raises AssertionError for a finding.

    check: whether the device has the extension `check`; without it a wrong result is no finding.
    """
    count = rng.choice((1, 1, 1, 2, 3, 8))
    wire = Wire(device, random_faults(rng, count, _BYTES_TO, _BYTES_FROM), rng, budget_s)
    chosen = rng.sample(range(len(clips.features)), CLIPS_PER_RUN)
    session = Session(wire, timeouts, device.clock)
    try:
        outcome = _talk(session, wire, clips, chosen)
        assert session.has_check == check, "the session is wrong about the device's `check`"
    except EdgeKwsError as error:
        assert error.got and error.hint, f"an error without cause or hint: {error}"
        return type(error).__name__
    except WrongError as error:
        if check:
            raise
        return f"without check: {error}"
    return outcome if check else "without check: correct"


def _talk(session: Session, wire: Wire, clips: Clips, chosen: Sequence[int]) -> str:
    session.start()
    resets = wire.resets
    for index in chosen:
        answer = session.classify(clips.features[index])
        _expect(answer.scores == clips.scores[index], "WRONG SCORES were accepted")
        _expect(answer.permille == clips.permille[index], "WRONG PROBABILITIES were accepted")
    _time(session, wire, clips, chosen[-1])
    hidden = wire.resets > resets
    _expect(session.results() == clips.permille[chosen[-1]], "WRONG PROBABILITIES at the end")
    _expect(not hidden, "A RESET was hidden")
    return "correct after a retry" if session.transfers.repeated else "correct"


def _time(session: Session, wire: Wire, clips: Clips, index: int) -> None:
    """Time three inferences. The window must be the last one that the device reported."""
    if session.mode == "energy":
        permille = session.infer_energy(3, 1).permille
    else:
        window = session.infer(3, 1)
        permille, last = window.permille, (_LAPS.findall(wire.received) or [(-1, -1)])[-1]
        _expect((window.start_us, window.end_us) == tuple(map(int, last)), "A WRONG TIME was accepted")
    _expect(permille == clips.permille[index], "WRONG PROBABILITIES of a run")


def _expect(correct: bool, finding: str) -> None:
    if not correct:
        raise WrongError(finding)
