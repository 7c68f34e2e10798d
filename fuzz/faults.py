"""A session on a wire with faults: every run ends with the right results or with one clear error, in time.

`run` is one seeded run on any device; `faults_host` and `faults_fake` are the devices. A wrong result that was
accepted, a hang, or an exception that is none of our errors is a finding.
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
"""What one undisturbed run takes, about: faults strike within."""
_LAPS = re.compile(rb"m-lap-us-(\d+)\r\nm-lap-us-(\d+)\r\nm-infer-done\r\n")


@dataclass(frozen=True)
class Clips:
    """features: int8 [n, frames, coefficients], with the scores and thousandths that a device must give for them."""

    features: np.ndarray
    scores: tuple[tuple[int, ...], ...]
    permille: tuple[tuple[int, ...], ...]


def wide_graph() -> Graph:
    """The real input, 490 bytes, and twelve scores; computed at once."""
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
    """Something wrong was accepted."""


def run(
    rng: random.Random, device: Device, clips: Clips, timeouts: Timeouts, budget_s: float, check: bool = True
) -> str:
    """One run; its outcome in words. AssertionError: a finding.

    check: whether the device has the extension; without it nothing is proven, and a wrong result is no finding.
    """
    count = rng.choice((1, 1, 1, 2, 3, 8))
    wire = Wire(device, random_faults(rng, count, _BYTES_TO, _BYTES_FROM), rng, budget_s)
    chosen = rng.sample(range(len(clips.features)), CLIPS_PER_RUN)
    session = Session(wire, timeouts, device.clock)
    try:
        outcome = _talk(session, wire, clips, chosen)
        assert session.has_check == check, "the device's `check` was misjudged"
    except EdgeKwsError as error:
        assert error.got and error.hint, f"an error that does not help: {error}"
        return type(error).__name__
    except WrongError as error:
        if check:
            raise
        return f"without check: {error}"
    return outcome if check else "without check: right"


def _talk(session: Session, wire: Wire, clips: Clips, chosen: Sequence[int]) -> str:
    session.start()
    resets = wire.resets
    for index in chosen:
        answer = session.classify(clips.features[index])
        _expect(answer.scores == clips.scores[index], "WRONG SCORES were accepted")
        _expect(answer.permille == clips.permille[index], "WRONG PROBABILITIES were accepted")
    _time(session, wire, clips, chosen[-1])
    hidden = wire.resets > resets
    _expect(session.results() == clips.permille[chosen[-1]], "WRONG PROBABILITIES in the end")
    _expect(not hidden, "A RESET was hidden")
    return "right, repeated" if session.transfers.repeated else "right"


def _time(session: Session, wire: Wire, clips: Clips, index: int) -> None:
    """A window must be the one that the device told of last."""
    if session.mode == "energy":
        permille = session.infer_energy(3, 1).permille
    else:
        window = session.infer(3, 1)
        permille, last = window.permille, (_LAPS.findall(wire.said) or [(-1, -1)])[-1]
        _expect((window.start_us, window.end_us) == tuple(map(int, last)), "A WRONG TIME was accepted")
    _expect(permille == clips.permille[index], "WRONG PROBABILITIES of a run")


def _expect(right: bool, otherwise: str) -> None:
    if not right:
        raise WrongError(otherwise)
