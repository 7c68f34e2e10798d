"""Small graphs with a scan: a gated recurrent unit over the rows of the features, with random weights."""

from __future__ import annotations

import numpy as np

from edgekws.features.spec import FeatureSpec
from edgekws.graph.attributes import Operand
from edgekws.graph.ir import INPUT, Graph, Node, Requant

FIXED = "fixed-point"


def gru_graph(seed: int = 0, hidden: int = 6, rows: int = 5) -> Graph:
    """Three projections of each row, a scan over them, the last state, and 12 scores."""
    rng = np.random.default_rng(seed)
    spec = FeatureSpec()
    kernel, stride = (spec.shape[0] - 4 * (rows - 1), spec.shape[1]), (4, 1)
    steps = tuple(_conv(rng, f"x{gate}", spec, kernel, stride, rows, hidden) for gate in "rzn")
    body = _body(rng, hidden)
    scan = Node(
        "gru", "scan", tuple(node.name for node in steps), Requant.identity(hidden, -128, 127), (rows, 1, hidden),
        (rows, 1, hidden), out_scale=1 / 128, body=body,
    )  # fmt: skip
    last = Node(
        "last", "slice", ("gru",), Requant.identity(hidden, -128, 127), (rows, 1, hidden), (1, 1, hidden),
        begin=(rows - 1, 0, 0), out_scale=1 / 128,
    )  # fmt: skip
    scores = _linear(rng, "fc", "last", hidden, 12)
    labels = tuple(f"word{number}" for number in range(12))
    return Graph((*steps, scan, last, scores), labels, spec, "int8", name="gru")


def _fixed(rng: np.random.Generator, channels: int, factor: float, hi: int = 127, bias: float = 200) -> Requant:
    """Multipliers around a factor."""
    fraction, exponent = np.frexp(factor * rng.uniform(0.6, 1, channels))
    mult = np.minimum(np.round(fraction * 2.0**31), 2**31 - 1).astype(np.int32)
    offset = rng.normal(0, bias, channels).astype(np.int32)
    return Requant(offset, mult, (-exponent).astype(np.uint8), -128 if hi < 128 else 0, hi, FIXED)


def _conv(rng, name, spec, kernel, stride, rows, hidden) -> Node:
    weight = rng.integers(-127, 128, (hidden, *kernel, 1)).astype(np.int8)
    return Node(
        name, "conv2d", (INPUT,), _fixed(rng, hidden, 1e-3), (*spec.shape, 1), (rows, 1, hidden), weight, stride=stride
    )


def _linear(rng: np.random.Generator, name: str, source: str, hidden: int, outputs: int) -> Node:
    weight = rng.integers(-127, 128, (outputs, hidden)).astype(np.int8)
    return Node(name, "linear", (source,), _fixed(rng, outputs, 2e-2), (1, 1, hidden), (1, 1, outputs), weight)


def _body(rng: np.random.Generator, hidden: int) -> tuple[Node, ...]:
    shape = (1, 1, hidden)

    def joined(name: str, op: str, first: str, second: str, factor: float, **more: object) -> Node:
        operand = Operand(0, 1 << 30, 0) if op == "rescaled_add" else Operand()
        requant = _fixed(rng, hidden, factor, bias=0)
        return Node(name, op, (first, second), requant, shape, shape, operands=(operand, operand), **more)  # type: ignore[arg-type]

    def table(name: str, source: str, lo: int, hi: int) -> Node:
        entries = np.clip(np.sort(rng.integers(lo, hi + 1, 256)), lo, hi).astype(np.uint8).view(np.int8)[None]
        requant = Requant.identity(hidden, lo, hi)
        return Node(name, "table", (source,), requant, shape, shape, np.roll(entries, 128, axis=1))

    half = 2.0**-19
    return (
        _linear(rng, "hr", "state", hidden, hidden),
        _linear(rng, "hz", "state", hidden, hidden),
        _linear(rng, "hn", "state", hidden, hidden),
        joined("sr", "rescaled_add", "step0", "hr", half),
        table("r", "sr", 0, 255),
        joined("sz", "rescaled_add", "step1", "hz", half),
        table("z", "sz", 0, 255),
        table("keep", "sz", 0, 255),
        joined("rh", "mul", "r", "hn", 1 / 256),
        joined("sn", "rescaled_add", "step2", "rh", half),
        table("n", "sn", -128, 127),
        joined("new", "mul", "n", "keep", 1 / 256),
        joined("old", "mul", "state", "z", 1 / 256),
        joined("next", "rescaled_add", "new", "old", half, out_scale=1 / 128),
    )
