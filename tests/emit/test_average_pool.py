"""average_pool alone: every runtime that can express it gives the interpreter's integers, halves included."""

from __future__ import annotations

import numpy as np
import pytest

from edgekws.emit import onnx_qdq, onnx_tinpu, tflite
from edgekws.features.spec import FeatureSpec
from edgekws.graph import interp
from edgekws.graph.ir import INPUT, SIGNED, UNSIGNED, Graph, Node, Requant

WINDOWS = [(2, 1), (2, 2), (3, 2), (3, 3), (5, 4), (1, 1)]
SHAPE = (49, 10, 1)


def pooled(window: tuple[int, int], signed: bool) -> Graph:
    """The input, raised by 128 if unsigned; its means; the scores are the means at some positions."""
    lo, hi = SIGNED if signed else UNSIGNED
    rows, columns = (SHAPE[axis] // window[axis] for axis in range(2))
    one, zeros = np.ones(1, np.uint8), np.zeros(1, np.uint8)
    moved = Requant(np.array([0 if signed else 128], np.int32), one, zeros, lo, hi)
    first = Node("first", "scale", (INPUT,), moved, SHAPE, SHAPE)
    mean_shape = (rows, columns, 1)
    mean = Node(
        "mean", "average_pool", ("first",), Requant.identity(1, lo, hi), SHAPE, mean_shape, window=window, stride=window
    )
    count = min(rows * columns, 12)
    weight = np.zeros((count, rows * columns), np.int8)
    weight[np.arange(count), np.arange(count) * (rows * columns // count)] = 1
    zero = np.zeros(count, np.int32)
    offset = zero if signed else zero - 128
    requant = Requant(offset, np.ones(count, np.uint8), zero.astype(np.uint8), *SIGNED)
    last = Node("last", "linear", ("mean",), requant, mean_shape, (1, 1, count), weight)
    return Graph((first, mean, last), tuple(map(str, range(count))), FeatureSpec(), "tinpu", name="pooled")


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("emitter", [tflite, onnx_qdq, onnx_tinpu], ids=lambda each: each.KIND)
def test_every_runtime_gives_the_same_integers(emitter: object, window: tuple[int, int], signed: bool) -> None:
    graph = pooled(window, signed)
    rng = np.random.default_rng(0)
    features = np.concatenate([rng.integers(-128, 128, (40, 49, 10)), rng.integers(-3, 4, (40, 49, 10))])
    features = features.astype(np.int8)
    expected = interp.run(graph, features)
    runtimes = emitter.executors(emitter.emit(graph))  # type: ignore[attr-defined]
    assert not any(name.endswith("-near") for name in runtimes)
    for name, run in runtimes.items():
        np.testing.assert_array_equal(run(features), expected, err_msg=name)


def test_halves_are_rounded_away_from_the_zero_of_the_stored_byte() -> None:
    def means(lo: int, hi: int, *values: int) -> list[int]:
        node = Node("n", "average_pool", ("x",), Requant.identity(1, lo, hi), (2, 1, 1), (1, 1, 1), window=(2, 1))
        return interp.run_node(node, np.array(values, np.int32).reshape(-1, 2, 1, 1)).ravel().tolist()

    assert means(-128, 127, 1, 2, -1, -2, 0, -1, 0, 1, 127, 126, -128, -127) == [2, -2, -1, 1, 127, -128]
    assert means(0, 255, 128, 129, 127, 128, 0, 1, 254, 255) == [129, 127, 0, 255]
