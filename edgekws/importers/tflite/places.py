"""TRANSPOSE, SLICE, STRIDED_SLICE, SPLIT, SPLIT_V, UNPACK, CONCATENATION, PACK and SHAPE: values at other places.

Each sees its input with as few axes as it needs: axes of size 1 vanish, and neighbours that stay together are one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgekws.errors import ArtifactError, TargetError
from edgekws.graph.attributes import Shape
from edgekws.graph.ir import Requant
from edgekws.importers.tflite.builder import MAXIMUM, Builder, Value, laid_out
from edgekws.importers.tflite.schema import Operator


def transpose(build: Builder, operator: Operator) -> None:
    """TRANSPOSE; after neighbours are joined, at most three axes may change places."""
    number, where = build.inputs(operator, 2)
    output, shape = build.output(operator), build.shape(operator, number)
    order = build.integers(operator, where, "the order of axes")
    if sorted(order) != list(range(len(shape))):
        raise ArtifactError(f"{operator.place}: an order of {len(shape)} axes was expected", got=str(order))
    build.require_int8(operator, number, output)
    build.require_same(operator, number, output)
    groups = _joined([axis for axis in order if shape[axis] != 1])
    sizes = {group[0]: math.prod(shape[axis] for axis in group) for group in groups}
    value = build.activation(operator, number)
    if len(groups) > 3:
        raise TargetError(f"{operator.place}: at most three axes should change places", got=f"{order} of {list(shape)}")
    if len(groups) > 1:
        before = [1] * (3 - len(groups)) + [sizes[first] for first in sorted(sizes)]
        rank = {first: place + 3 - len(groups) for place, first in enumerate(sorted(sizes))}
        axes = [*range(3 - len(groups)), *(rank[group[0]] for group in groups)]
        source = build.source(operator, number, laid_out(before))
        out = laid_out([before[axis] for axis in axes])
        value = build.node(
            operator, "transpose", [source], output, out, build.clip(source), prefix="transpose", axes=tuple(axes)
        )
    build.give(operator, output, value, tuple(shape[axis] for axis in order))


def _joined(order: list[int]) -> list[list[int]]:
    """Axes in their new order; those that follow each other before and after are one group."""
    groups: list[list[int]] = []
    for axis in order:
        if groups and groups[-1][-1] == axis - 1:
            groups[-1].append(axis)
        else:
            groups.append([axis])
    return groups


@dataclass(frozen=True)
class _Part:
    """What is taken along one axis: `count` values from `begin`, every `step`-th."""

    size: int
    begin: int
    count: int
    step: int = 1

    @property
    def is_whole(self) -> bool:
        return self.count == self.size


def slice_(build: Builder, operator: Operator) -> None:
    """SLICE: from constant beginnings, constant sizes; -1 is all that is left."""
    number, starts, counts = build.inputs(operator, 3)
    shape = build.shape(operator, number)
    begin, size = build.integers(operator, starts, "the beginning"), build.integers(operator, counts, "the size")
    if not len(begin) == len(size) == len(shape):
        raise ArtifactError(f"{operator.place}: a beginning and a size of each axis were expected", got=str(begin))
    parts = [
        _Part(all_, first, all_ - first if some == -1 else some)
        for all_, first, some in zip(shape, begin, size, strict=True)
    ]
    _take(build, operator, number, build.output(operator), parts, tuple(part.count for part in parts))


def strided_slice(build: Builder, operator: Operator) -> None:
    """STRIDED_SLICE with constant bounds and steps above 0; of constants too."""
    number, *bounds = build.inputs(operator, 4)
    output, shape = build.output(operator), build.shape(operator, number)
    begin, end, step = (build.integers(operator, each, "bounds and steps") for each in bounds)
    masks = {name: int(operator.options[f"{name}_mask"]) for name in ("begin", "end", "shrink_axis")}
    if operator.options["ellipsis_mask"] or operator.options["new_axis_mask"] or operator.options["offset"]:
        raise TargetError(f"{operator.place}: plain bounds were expected", got="an ellipsis, a new axis or an offset")
    if not len(begin) == len(end) == len(step) <= len(shape) or min(step, default=1) < 1:
        raise TargetError(f"{operator.place}: bounds for each axis and steps above 0 were expected", got=str(step))
    parts = [_bounded(shape, axis, begin, end, step, masks) for axis in range(len(shape))]
    kept = tuple(part.count for axis, part in enumerate(parts) if not masks["shrink_axis"] >> axis & 1)
    known = build.constant(number)
    if known is not None:
        index = tuple(slice(part.begin, part.begin + part.count * part.step, part.step) for part in parts)
        build.fix(operator, output, kept)
        build.constants[output] = known[index].reshape(kept)
        return
    _take(build, operator, number, output, parts, kept)


def _bounded(
    shape: tuple[int, ...], axis: int, begin: list[int], end: list[int], step: list[int], masks: dict[str, int]
) -> _Part:
    size = shape[axis]
    if axis >= len(begin):
        return _Part(size, 0, size)
    if masks["shrink_axis"] >> axis & 1:
        return _Part(size, begin[axis] + size * (begin[axis] < 0), 1)
    ends = range(size)[
        None if masks["begin"] >> axis & 1 else begin[axis] : None if masks["end"] >> axis & 1 else end[axis] :
    ]
    return _Part(size, ends.start, -(-len(ends) // step[axis]), step[axis])


def split(build: Builder, operator: Operator) -> None:
    """SPLIT: equal parts along an axis."""
    where, number = build.inputs(operator, 2)
    axis, shape = _axis(build, operator, where, number)
    count = len(operator.outputs)
    if count < 1 or shape[axis] % count:
        raise ArtifactError(f"{operator.place}: {count} equal parts were expected", got=f"{shape[axis]} values")
    _cut(build, operator, number, axis, [shape[axis] // count] * count)


def split_v(build: Builder, operator: Operator) -> None:
    """SPLIT_V: parts of constant sizes along an axis; one may be -1, what is left."""
    number, counts, where = build.inputs(operator, 3)
    axis, shape = _axis(build, operator, where, number)
    sizes = build.integers(operator, counts, "the sizes")
    if sizes.count(-1) == 1:
        sizes[sizes.index(-1)] = shape[axis] - sum(size for size in sizes if size != -1)
    if len(sizes) != len(operator.outputs) or sum(sizes) != shape[axis]:
        raise ArtifactError(f"{operator.place}: sizes of {shape[axis]} together were expected", got=str(sizes))
    _cut(build, operator, number, axis, sizes)


def _axis(build: Builder, operator: Operator, where: int, number: int) -> tuple[int, tuple[int, ...]]:
    shape, axes = build.shape(operator, number), build.integers(operator, where, "the axis")
    if len(axes) != 1 or not -len(shape) <= axes[0] < len(shape):
        raise ArtifactError(f"{operator.place}: one axis below {len(shape)} was expected", got=str(axes))
    return axes[0] % len(shape), shape


def _cut(build: Builder, operator: Operator, number: int, axis: int, sizes: list[int]) -> None:
    shape, start = build.shape(operator, number), 0
    for output, size in zip(build.outputs(operator, len(sizes)), sizes, strict=True):
        parts = [_Part(all_, 0, all_) for all_ in shape]
        parts[axis] = _Part(shape[axis], start, size)
        _take(build, operator, number, output, parts, (*shape[:axis], size, *shape[axis + 1 :]))
        start += size


def unpack(build: Builder, operator: Operator) -> None:
    """UNPACK: one output for each place along an axis, which vanishes."""
    (number,) = build.inputs(operator, 1)
    shape = build.shape(operator, number)
    axis = _place(operator, len(shape))
    for place, output in enumerate(build.outputs(operator, shape[axis])):
        parts = [_Part(all_, 0, all_) for all_ in shape]
        parts[axis] = _Part(shape[axis], place, 1)
        _take(build, operator, number, output, parts, (*shape[:axis], *shape[axis + 1 :]))


def _place(operator: Operator, rank: int) -> int:
    axis = int(operator.options["axis"])
    if not -rank <= axis < rank:
        raise ArtifactError(f"{operator.place}: an axis below {rank} was expected", got=str(axis))
    return axis % rank


def _take(
    build: Builder, operator: Operator, number: int, output: int, parts: list[_Part], shape: tuple[int, ...]
) -> None:
    """The output, of TFLite's `shape`, is what the parts take along every axis of the input."""
    for part in parts:
        last = part.begin + (part.count - 1) * part.step
        if part.count < 1 or part.begin < 0 or last >= part.size:
            got = f"{part.count} from {part.begin} of {part.size}"
            raise ArtifactError(f"{operator.place}: parts should lie inside the input", got=got)
    build.require_int8(operator, number, output)
    build.require_same(operator, number, output)
    build.activation(operator, number)
    value = _every(build, operator, _slice(build, operator, number, output, parts), output, parts)
    build.give(operator, output, value, shape)


def _slice(build: Builder, operator: Operator, number: int, output: int, parts: list[_Part]) -> Value:
    """The values from each beginning to each end, whatever the steps."""
    spans = [_Part(part.size, part.begin, (part.count - 1) * part.step + 1) for part in parts]
    joined = [_Part(1, 0, 1)]
    for span in spans:
        last = joined[-1]
        if span.is_whole or last.size == 1:
            joined[-1] = _Part(last.size * span.size, last.begin * span.size + span.begin, last.count * span.count)
        else:
            joined.append(span)
    if all(part.is_whole for part in joined):
        return build.source(operator, number)
    if len(joined) > 3:
        raise TargetError(f"{operator.place}: at most three axes should be cut", got=f"{len(joined)}")
    sides = [_Part(1, 0, 1)] * (3 - len(joined)) + joined
    source = build.source(operator, number, laid_out([each.size for each in sides]))
    out = laid_out([each.count for each in sides])
    begin = tuple(each.begin for each in sides)
    return build.node(operator, "slice", [source], output, out, build.clip(source), prefix="slice", begin=begin)


def _every(build: Builder, operator: Operator, value: Value, output: int, parts: list[_Part]) -> Value:
    """Every step-th value along each axis, of values that begin and end with one: maxima of one value, in strides."""
    counts = [(part.count - 1) * part.step + 1 for part in parts]
    for axis, part in enumerate(parts):
        if part.step == 1 or part.count == 1:
            continue
        shape = (math.prod(counts[:axis]), counts[axis], math.prod(counts[axis + 1 :]))
        source = build.reshaped(operator, value, output, shape)
        requant = Requant.identity(shape[2], value.lo, value.hi)
        out = (shape[0], part.count, shape[2])
        value = build.node(
            operator, MAXIMUM, [source], output, out, requant, prefix="every", window=(1, 1), stride=(1, part.step)
        )
        counts[axis] = part.count
    return value


def concatenation(build: Builder, operator: Operator) -> None:
    """CONCATENATION without an activation; of constants too."""
    if operator.options["activation"]:
        raise TargetError(f"{operator.place}: no fused activation was expected", got="one")
    numbers = build.inputs(operator, 1, max(len(operator.inputs), 1))
    shapes = [build.shape(operator, number) for number in numbers]
    axis = _place(operator, len(shapes[0]))
    _join(build, operator, numbers, shapes, axis)


def pack(build: Builder, operator: Operator) -> None:
    """PACK: inputs one after the other along a new axis; of constants too."""
    numbers = build.inputs(operator, 1, max(len(operator.inputs), 1))
    shapes = [build.shape(operator, number) for number in numbers]
    axis = _place(operator, len(shapes[0]) + 1)
    _join(build, operator, numbers, [(*shape[:axis], 1, *shape[axis:]) for shape in shapes], axis)


def _join(
    build: Builder, operator: Operator, numbers: Sequence[int], shapes: Sequence[tuple[int, ...]], axis: int
) -> None:
    """Inputs, seen with these shapes, one after the other along an axis."""
    output, rest = build.output(operator), {(*shape[:axis], *shape[axis + 1 :]) for shape in shapes}
    if len(rest) != 1 or len({len(shape) for shape in shapes}) != 1:
        raise ArtifactError(f"{operator.place}: inputs should differ along one axis", got=str(list(map(list, shapes))))
    whole = (*shapes[0][:axis], sum(shape[axis] for shape in shapes), *shapes[0][axis + 1 :])
    known = [build.constant(number) for number in numbers]
    if all(each is not None for each in known):
        build.count(operator, whole)
        values = [np.asarray(each).reshape(shape) for each, shape in zip(known, shapes, strict=True)]
        build.fix(operator, output, whole)
        build.constants[output] = np.concatenate(values, axis)
        return
    build.require_int8(operator, *numbers, output)
    for number in numbers:
        build.require_same(operator, number, output)
    place, sides = _sides(shapes, axis)
    sources = [build.source(operator, number, side) for number, side in zip(numbers, sides, strict=True)]
    if len(sources) == 1:
        build.give(operator, output, sources[0], whole)
        return
    out = [*sides[0]]
    out[place] = sum(side[place] for side in sides)
    requant = Requant.identity(out[2], min(each.lo for each in sources), max(each.hi for each in sources))
    value = build.node(operator, "concat", sources, output, laid_out(out), requant, prefix="concat", axes=(place,))
    build.give(operator, output, value, whole)


def _sides(shapes: Sequence[tuple[int, ...]], axis: int) -> tuple[int, list[Shape]]:
    """(axis of the graph, shapes of the graph): as the inputs are where that will do, else with neighbours joined."""
    behind = len(shapes[0]) - 1 - axis
    if behind < 2 or (behind == 2 and math.prod(shapes[0][:axis]) == 1):
        return 2 - behind, [laid_out(shape) for shape in shapes]
    return 1, [(math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :])) for shape in shapes]


def shape(build: Builder, operator: Operator) -> None:
    """SHAPE: constant, since shapes are fixed."""
    (number,) = build.inputs(operator, 1)
    output, sizes = build.output(operator), build.shape(operator, number)
    build.fix(operator, output, (len(sizes),))
    build.constants[output] = np.array(sizes, np.int32)
