"""C of the ops that have fields of their own or move values: structures, kernels and their calls.

The structures of firmware_io/firmware/kernels hold only pointers and int32_t. They are described here once, in their
order, for the text of the C emitter and for callers of the kernels from Python.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edgekws.emit.c import text
from edgekws.errors import TargetError
from edgekws.graph.attributes import Operand, Shape
from edgekws.graph.exponential import exponentials
from edgekws.graph.ir import Node, Requant
from edgekws.graph.ops import OPS

_Value = int | tuple[int, ...] | np.ndarray | Mapping[str, int] | None
Fields = Mapping[str, _Value]
"""Of a structure in C, in order. Arrays are pointers, None is a null pointer."""
Range = tuple[int, int]
_CLIPS, _RULES = 0, {"offset-scale-shift": 1, "fixed-point": 2, "fixed-point-once": 3}
"""EKW_PAIR_... of pair.h."""


_CTYPES = {"int8": "int8_t", "uint8": "uint8_t", "int32": "int32_t"}


@dataclass(frozen=True, order=True)
class Body:
    """One kernel. header: kernels/<header>.h, which defines the body and the structure. inputs: of one call."""

    name: str
    header: str
    structure: str
    body: str
    inputs: int = 1

    @property
    def definition(self) -> str:
        """The line of C that makes it."""
        macro = "EKW_KERNEL_AS" if self.inputs == 1 else "EKW_KERNEL_OF_TWO_AS"
        return f"{macro}({self.structure}, {self.name}, {self.body})\n"


_COPY = Body("ekw_copy_bytes", "copy", "ekw_copy_node", "ekw_copy")
_COPY_CLIPPED = Body("ekw_copy_clipped_bytes", "copy", "ekw_copy_node", "ekw_copy_clipped")
_RESHAPE = Body("ekw_reshape_bytes", "reshape", "ekw_reshape_node", "ekw_reshape")
_TABLE = Body("ekw_table_bytes", "table", "ekw_table_node", "ekw_look_up")
_SOFTMAX = Body("ekw_softmax_bytes", "softmax", "ekw_softmax_node", "ekw_softmax")
_PAIRS = {
    op: Body(f"ekw_{op}_bytes", op, "ekw_pair_node", f"ekw_{op}", 2)
    for op, row in OPS.items()
    if row.input_count == 2 and "operands" in row.attributes
}
BODIES = (_COPY, _COPY_CLIPPED, _RESHAPE, _TABLE, _SOFTMAX, *_PAIRS.values())


@dataclass(frozen=True)
class Call:
    """A call of a kernel. inputs: which of the node's. is_moot_in_place: whether it changes nothing where its input and
    its output begin at the same byte.
    """

    kernel: Body
    fields: Fields
    inputs: tuple[int, ...] = (0,)
    is_moot_in_place: bool = False


@dataclass(frozen=True)
class _Loop:
    count: int
    in_step: int
    out_step: int


def calls(node: Node, ranges: Sequence[Range]) -> list[Call]:
    """The calls that compute `node`, in order. ranges: lowest and highest value of each input.

    Raises TargetError for an op without a kernel.
    """
    if node.op not in _CALLS:
        raise TargetError(f"{node.name}: C has kernels for {', '.join(_CALLS)}", got=node.op)
    return list(_CALLS[node.op](node, ranges))


def row_read(shape: Shape, out_shape: Shape, values: Range) -> Call:
    """The first row of a tensor of this shape."""
    requant = Requant.identity(shape[2], *values)
    return _moved(out_shape, _steps(shape), _steps(out_shape), 0, 0, values, requant)


def row_written(shape: Shape, out_shape: Shape, values: Range) -> Call:
    """A tensor of this shape as the first row of another one."""
    requant = Requant.identity(shape[2], *values)
    return _moved(shape, _steps(shape), _steps(out_shape), 0, 0, values, requant)


def channels_first(shape: Shape) -> Call:
    """[height][width][channels], as the graph's input arrives, to [channels][height][width]."""
    height, width, channels = shape
    loops = [_Loop(channels, 1, height * width), _Loop(height * width, channels, 1)]
    return _copy(loops, 0, 0, (-128, 127), Requant.identity(channels, -128, 127))


def rows_to_planes(shape: Shape, values: Range) -> Call:
    """[height][channels][width], the rows of a stream, to [channels][height][width]."""
    _, width, channels = shape
    requant = Requant.identity(channels, *values)
    return _moved(shape, (channels * width, 1, width), _steps(shape), 0, 0, values, requant)


def begins_with_input(node: Node) -> bool:
    """Whether the output may begin where the first input does: kernels read what they overwrite first, and bytes that
    stay in their place are not copied.
    """
    if node.body:  # a row is read before it is written
        return node.in_shape == node.out_shape
    if node.op == "concat":
        return math.prod(_stored(node.in_shape)[: _AXES[node.axes[0]]]) == 1
    if node.operation.reach == "position":
        return True
    return all(call.is_moot_in_place for call in calls(node, [(node.requant.lo, node.requant.hi)]))


def constants(name: str, call: Call) -> str:
    """The structure of a call in C, after its arrays."""
    arrays = {key: value for key, value in call.fields.items() if isinstance(value, np.ndarray)}
    lines = [text.array(_CTYPES[str(each.dtype)], f"{name}_{key}", each, each.shape) for key, each in arrays.items()]
    fields = {key: f"{name}_{key}" if key in arrays else _written(value) for key, value in call.fields.items()}
    return "".join(lines) + text.structure(call.kernel.structure, name, fields)


def _written(value: _Value) -> text.Value:
    """A structure of a structure has no arrays."""
    return 0 if value is None or isinstance(value, np.ndarray) else value


def _stored(shape: Shape) -> tuple[int, int, int]:
    """Channels first."""
    height, width, channels = shape
    return channels, height, width


def _steps(shape: Shape) -> tuple[int, int, int]:
    """Bytes from one element to the next along height, width, channels of a tensor [channels][height][width]."""
    height, width, _ = shape
    return width, 1, height * width


_AXES = (1, 2, 0)
"""Where height, width, channels are among the stored axes."""


def _concat(node: Node, ranges: Sequence[Range]) -> Iterator[Call]:
    axis, begin = node.axes[0], 0
    steps = _steps(node.out_shape)
    for number, (shape, values) in enumerate(zip(node.in_shapes, ranges, strict=True)):
        yield _moved(shape, _steps(shape), steps, 0, begin * steps[axis], values, node.requant, number)
        begin += shape[axis]


def _slice(node: Node, ranges: Sequence[Range]) -> Iterator[Call]:
    steps = _steps(node.in_shape)
    begin = sum(start * step for start, step in zip(node.begin, steps, strict=True))
    yield _moved(node.out_shape, steps, _steps(node.out_shape), begin, 0, ranges[0], node.requant)


def _transpose(node: Node, ranges: Sequence[Range]) -> Iterator[Call]:
    steps = _steps(node.in_shape)
    moved = tuple(steps[axis] for axis in node.axes)
    yield _moved(node.out_shape, moved, _steps(node.out_shape), 0, 0, ranges[0], node.requant)


def _moved(
    shape: Shape, in_steps: Sequence[int], out_steps: Sequence[int], in_begin: int, out_begin: int, values: Range,
    requant: Requant, number: int = 0,
) -> Call:  # fmt: skip
    """One block of this shape. Steps: along height, width and channels."""
    height, width, channels = map(_Loop, shape, in_steps, out_steps)
    return _copy([channels, height, width], in_begin, out_begin, values, requant, number)


def _reshape(node: Node, ranges: Sequence[Range]) -> Iterator[Call]:
    loops = _reshape_loops(node.in_shape, node.out_shape)
    if loops:
        yield _copy(loops, 0, 0, ranges[0], node.requant)
        return
    in_plane, out_plane = math.prod(node.in_shape[:2]), math.prod(node.out_shape[:2])
    sizes = {
        "count": math.prod(node.in_shape),
        "in_channels": node.in_shape[2],
        "in_plane": in_plane,
        "out_channels": node.out_shape[2],
        "out_plane": out_plane,
    }
    yield Call(_RESHAPE, {**sizes, **_limits(ranges[0], node.requant)})


def _reshape_loops(in_shape: Shape, out_shape: Shape) -> list[_Loop]:
    """None unless the channels of one shape divide those of the other."""
    before, after = in_shape[2], out_shape[2]
    in_plane, out_plane = math.prod(in_shape[:2]), math.prod(out_shape[:2])
    if before % after == 0:
        parts = before // after
        return [_Loop(parts, after * in_plane, 1), _Loop(after, in_plane, out_plane), _Loop(in_plane, 1, parts)]
    if after % before == 0:
        parts = after // before
        return [_Loop(parts, 1, before * out_plane), _Loop(before, in_plane, out_plane), _Loop(out_plane, parts, 1)]
    return []


def _copy(
    loops: list[_Loop], in_begin: int, out_begin: int, values: Range, requant: Requant, number: int = 0
) -> Call:  # fmt: skip
    joined = _joined(loops)
    is_clipped = not (requant.lo <= values[0] and values[1] <= requant.hi)
    is_straight = joined[:2] == [_ONCE, _ONCE] and joined[2].in_step == joined[2].out_step == 1
    fields: Fields = {
        "count": tuple(loop.count for loop in joined),
        "in_step": tuple(loop.in_step for loop in joined),
        "out_step": tuple(loop.out_step for loop in joined),
        "in_begin": in_begin,
        "out_begin": out_begin,
        **_limits(values, requant),
    }
    stays = is_straight and not is_clipped and in_begin == out_begin
    return Call(_COPY_CLIPPED if is_clipped else _COPY, fields, (number,), stays)


_ONCE = _Loop(1, 0, 0)


def _joined(loops: list[_Loop]) -> list[_Loop]:
    """Three loops with the same effect: those over one element left out, neighbours of fitting steps made one."""
    result: list[_Loop] = []
    for loop in (loop for loop in loops if loop.count > 1):
        last = result[-1] if result else _ONCE
        if result and (last.in_step, last.out_step) == (loop.count * loop.in_step, loop.count * loop.out_step):
            result[-1] = _Loop(last.count * loop.count, loop.in_step, loop.out_step)
        else:
            result.append(loop)
    return [_ONCE] * (3 - len(result)) + result if result else [_ONCE, _ONCE, _Loop(1, 1, 1)]


def _limits(values: Range, requant: Requant) -> dict[str, int]:
    return {"flip": _flip(values), "lo": requant.lo, "hi": requant.hi}


def _flip(values: Range) -> int:
    return 0x80 if values[0] < 0 else 0


def _table(node: Node, _: Sequence[Range]) -> Iterator[Call]:
    """The range of the output is applied to the entries."""
    assert node.weight is not None
    values = node.weight.view(np.uint8 if node.is_unsigned else np.int8).astype(np.int64)
    entries = np.clip(values, node.requant.lo, node.requant.hi).astype(np.uint8)
    plane = math.prod(node.out_shape) // len(entries)
    yield Call(_TABLE, {"entries": entries, "tables": len(entries), "plane": plane})


def _softmax(node: Node, ranges: Sequence[Range]) -> Iterator[Call]:
    height, width, channels = node.in_shape
    fields: Fields = {
        "exponentials": exponentials(node.operands[0]).astype(np.int32),
        "channels": channels,
        "plane": height * width,
        "flip": _flip(ranges[0]),
        "lo": node.requant.lo,
        "hi": min(node.requant.hi, 127),
    }
    yield Call(_SOFTMAX, fields)


def _pair(node: Node, ranges: Sequence[Range]) -> Iterator[Call]:
    requant, (height, width, channels) = node.requant, node.out_shape
    plain, steps = requant.is_identity, _second_steps(node)
    rows, columns = (1, height * width) if steps[1] == width * steps[2] else (height, width)
    first, second = map(_operand, node.operands, ranges)
    fields: Fields = {
        "offset": None if plain else requant.offset.astype(np.int32),
        "mult": None if plain else requant.mult.astype(np.int32),
        "shift": None if plain else requant.shift.astype(np.int8),
        "rule": _CLIPS if plain else _RULES[requant.rule],
        "zero": requant.zero,
        "lo": requant.lo,
        "hi": requant.hi,
        "count": (channels, rows, columns),
        "second_step": steps,
        "first": first,
        "second": second,
    }
    yield Call(_PAIRS[node.op], fields, (0, 1))


def _second_steps(node: Node) -> tuple[int, int, int]:
    """Along channels, height, width; 0 where the second input is repeated."""
    shape = node.in_shapes[1]
    height, width, channels = (
        step if size > 1 else 0 for step, size in zip(_steps(shape), shape, strict=True)
    )  # fmt: skip
    return channels, height, width


def _operand(operand: Operand, values: Range) -> dict[str, int]:
    flip = _flip(values)
    left, right = max(-operand.shift, 0), max(operand.shift, 0)
    return {"flip": flip, "zero": operand.zero + flip, "mult": operand.mult, "left": left, "right": right}


_CALLS = {
    **dict.fromkeys(_PAIRS, _pair),
    "table": _table,
    "softmax": _softmax,
    "concat": _concat,
    "slice": _slice,
    "transpose": _transpose,
    "reshape": _reshape,
}
