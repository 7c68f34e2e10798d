"""Kernels of ops that have fields of their own or move values, and models of them, against the interpreter."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgekws.emit import c
from edgekws.emit.c import arena
from edgekws.features.spec import UnknownFeatures
from edgekws.graph import interp
from edgekws.graph.attributes import Operand, Shape
from edgekws.graph.ir import INPUT, SIGNED, UNSIGNED, Graph, Node, Requant, Rule
from edgekws.graph.ops import OPS
from firmware_io.build import host_cc, host_library
from tests.firmware_io.firmware.lines import EMULATED, started
from tests.graphs import random_general

Kernels = Callable[..., np.ndarray]
CASES = 60
FAST = (*host_cc.PORTABLE, "-O0")
"""Compiles in a moment."""


@pytest.fixture(scope="module")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> Kernels:
    return host_library.compile_kernels(tmp_path_factory.mktemp("kernels"), FAST, basic=())


def drawn(rng: np.random.Generator, op: str) -> tuple[Node, list[np.ndarray]]:
    """A node of small, odd shapes and extreme attributes, with inputs at the ends of their ranges at times."""
    shape: Shape = (int(rng.integers(1, 5)), int(rng.integers(1, 5)), int(rng.integers(1, 8)))
    count = {"rescaled_add": 2, "mul": 2, "concat": int(rng.integers(2, 5))}.get(op, 1)
    shapes, out, more = _shapes(rng, op, shape, count)
    lo, hi = (SIGNED, UNSIGNED)[rng.integers(2)]
    if rng.random() < 0.4:
        lo, hi = lo + int(rng.integers(0, 120)), hi - int(rng.integers(0, 120))
    requant = Requant.identity(out[2], lo, hi)
    if op in ("rescaled_add", "mul"):
        requant = _requant(rng, op, out[2], lo, hi)
    others = tuple(shapes[1:]) if len(set(shapes)) > 1 else ()
    names = tuple(f"i{number}" for number in range(count))
    node = Node("n", op, names, requant, shapes[0], out, other_shapes=others, **more)
    return node, [_values(rng, each) for each in shapes]


def _shapes(rng: np.random.Generator, op: str, shape: Shape, count: int) -> tuple[list[Shape], Shape, dict]:
    channels = shape[2]
    if op == "concat":
        axis = int(rng.integers(3))
        sizes = [int(rng.integers(1, 5)) for _ in range(count)]
        shapes = [tuple(size if at == axis else each for at, each in enumerate(shape)) for size in sizes]
        return shapes, tuple(sum(sizes) if at == axis else each for at, each in enumerate(shape)), {"axes": (axis,)}
    if op == "slice":
        begin = tuple(int(rng.integers(each)) for each in shape)
        return (
            [shape],
            tuple(int(rng.integers(1, e - b + 1)) for e, b in zip(shape, begin, strict=True)),
            {"begin": begin},
        )
    if op == "transpose":
        axes = tuple(int(axis) for axis in rng.permutation(3))
        return [shape], tuple(shape[axis] for axis in axes), {"axes": axes}
    if op == "reshape":
        total = math.prod(shape)
        deep = int(rng.choice([each for each in range(1, total + 1) if total % each == 0]))
        high = int(rng.choice([each for each in range(1, total + 1) if total // deep % each == 0]))
        return [shape], (high, total // deep // high, deep), {}
    if op == "table":
        rows = channels if rng.random() < 0.5 else 1
        return [shape], shape, {"weight": rng.integers(-128, 128, (rows, 256)).astype(np.int8)}
    if op == "softmax":
        scale = Operand(0, int(rng.integers(1 << 30, 1 << 31)), -int(rng.integers(18, 31)))
        return [shape], shape, {"operands": (scale,)}
    repeated = tuple(1 if rng.random() < 0.3 else each for each in shape)
    return [shape, repeated], shape, {"operands": tuple(_operand(rng, op) for _ in range(2))}


def _operand(rng: np.random.Generator, op: str) -> Operand:
    zero = int(rng.choice([-128, 0, 127, int(rng.integers(-128, 256))]))
    return Operand(zero, int(rng.integers(1 << 30, 1 << 31)), int(rng.integers(-1, 32)) if op == "rescaled_add" else 0)


def _requant(rng: np.random.Generator, op: str, channels: int, lo: int, hi: int) -> Requant:
    rules: list[Rule] = ["fixed-point", "fixed-point-once"]
    most = 23 if op == "rescaled_add" else 12
    shift = rng.integers(12 if op == "rescaled_add" else -8, most, channels)
    mult = rng.choice([1 << 30, (1 << 31) - 1, int(rng.integers(1 << 30, 1 << 31))], channels)
    offset = rng.integers(-(1 << 10), 1 << 10, channels)
    zero = int(rng.integers(-128, 128))
    return Requant(
        offset.astype(np.int32), mult.astype(np.int32), shift.astype(np.int8), lo, hi, rules[rng.integers(2)], zero
    )  # fmt: skip


def _values(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    kind, (lo, hi) = ((np.int8, SIGNED), (np.uint8, UNSIGNED))[rng.integers(2)]
    full = rng.integers(lo, hi + 1, shape)
    ends = rng.choice([lo, hi, lo + 1], shape)
    return (ends if rng.random() < 0.3 else full).astype(kind)


@pytest.mark.parametrize("op", [name for name, row in OPS.items() if not (row.is_basic or row.is_recurrent)])
def test_kernels_equal_the_interpreter(kernels: Kernels, op: str) -> None:
    rng = np.random.default_rng(sum(map(ord, op)))
    for case in range(CASES):
        node, inputs = drawn(rng, op)
        expected = interp.run_node(node, *(x.astype(np.int32)[None] for x in inputs))[0]
        np.testing.assert_array_equal(kernels(node, *inputs), expected, err_msg=f"{case}: {node}")


def features_of(graph: Graph, seed: int, count: int = 6) -> np.ndarray:
    height, width, channels = graph.in_shape
    return np.random.default_rng(seed).integers(-128, 128, (count, height, width * channels)).astype(np.int8)


def check_models(seeds: range, folder: Path, options: host_cc.Options) -> None:
    for seed in seeds:
        graph = random_general(seed)
        features = features_of(graph, seed)
        run = host_library.compile_model(c.emit(graph), folder, options)
        np.testing.assert_array_equal(run(features), interp.run(graph, features), err_msg=f"{seed}")


def test_models_equal_the_interpreter(tmp_path: Path) -> None:
    """In place, as aliases, and with channels first."""
    check_models(range(2), tmp_path, FAST)


@pytest.mark.slow
@pytest.mark.parametrize("options", [host_cc.PORTABLE, None], ids=["portable", "native"])
def test_many_models_equal_the_interpreter(tmp_path: Path, options: host_cc.Options) -> None:
    check_models(range(2, 82), tmp_path, options)


def test_moved_values_that_stay_are_not_copied() -> None:
    """A reshape that keeps the channels, the first channels of a slice."""
    shape, plain, few = (4, 6, 3), Requant.identity(3, *SIGNED), Requant.identity(2, *SIGNED)
    nodes = (
        Node("conv", "conv2d", (INPUT,), plain, shape, shape, np.ones((3, 1, 1, 3), np.int8)),
        Node("turn", "reshape", ("conv",), plain, shape, (1, 24, 3)),
        Node("part", "slice", ("turn",), few, (1, 24, 3), (1, 24, 2), begin=(0, 0, 0)),
        Node("fc", "linear", ("part",), few, (1, 24, 2), (1, 1, 2), np.ones((2, 48), np.int8)),
    )
    graph = Graph(nodes, ("a", "b"), UnknownFeatures((4, 6), 3), "int8")
    source = c.emit(graph)["model.c"].decode()
    assert source.count("ekw_copy_bytes(&") == 1  # the input, channels first
    assert c.memory(graph).tensors == 72


def test_inputs_of_a_concat_are_joined_where_the_first_is() -> None:
    graph = next(g for g in map(random_general, range(99)) if any(n.op == "concat" and n.axes == (2,) for n in g.nodes))
    node = next(n for n in graph.nodes if n.op == "concat" and n.axes == (2,))
    assert arena.may_overwrite(node, 0) and not arena.may_overwrite(node, 1)


def test_no_tensor_of_a_plan_is_lost() -> None:
    """Memory that records its owners: what a node reads is there, and what is still to be read is not overwritten."""
    for seed in range(25):
        graph = random_general(seed)
        plan, sizes = arena.plan(graph), {node.name: math.prod(node.out_shape) for node in graph.nodes}
        memory, sizes[INPUT] = np.full(plan.size, "", object), math.prod(graph.in_shape)

        def part(name: str, plan: arena.Arena = plan, sizes: dict[str, int] = sizes) -> slice:
            return slice(plan.starts[name], plan.starts[name] + sizes[name])

        if INPUT in plan.starts:
            memory[part(INPUT)] = INPUT
        for node in graph.nodes:
            for name in node.inputs:
                assert name not in plan.starts or (memory[part(name)] == name).all(), f"{seed}: {name} of {node.name}"
            if node.name in plan.starts:
                memory[part(node.name)] = node.name
        assert plan.size < 1.3 * arena.lower_bound(graph)


@pytest.mark.slow
@pytest.mark.parametrize("name", EMULATED)
def test_boards_equal_the_interpreter_and_print_its_probabilities(name: str, tmp_path: Path) -> None:
    graphs = [random_general(seed) for seed in range(300)]
    some = [
        next(graph for graph in graphs if graph.gives_probabilities and graph.in_shape[2] > 1),
        next(graph for graph in graphs if not graph.gives_probabilities),
        max(graphs, key=lambda graph: len({node.op for node in graph.nodes})),
    ]
    for number, graph in enumerate(some):
        features = features_of(graph, number, 3)
        expected = graph.run(features)
        (tmp_path / str(number)).mkdir()
        with started(name, c.emit(graph), tmp_path / str(number)) as (line, _):
            for tensor, scores, permille in zip(features, expected, graph.permille(expected), strict=True):
                line.load(tensor)
                text = ",".join(f"{each // 1000}.{each % 1000:03d}" for each in permille)
                assert line.ask("infer 1 0")[-1] == f"m-results-[{text}]"
                assert line.ask("raw")[0] == f"m-raw-[{','.join(map(str, scores))}]"
