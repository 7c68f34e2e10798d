"""Operations that move values: most change only the view of a tensor, the others become nodes that copy integers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from edgekws.graph.attributes import Shape
from edgekws.importers._onnx import views
from edgekws.importers._onnx.file import LARGEST, Call
from edgekws.importers._onnx.reader import Handler, Raw, Reader
from edgekws.importers._onnx.values import Joined, Quantized, Real, Softmax, Stored, Sum, Value
from edgekws.importers._onnx.views import View

Viewed = Stored | Real | Sum | Raw


def identity(reader: Reader, call: Call) -> Value | Raw:
    """Identity, Dropout without training, Cast between floats."""
    return reader.value(call)


def _viewed(reader: Reader, call: Call) -> Viewed:
    value = reader.value(call)
    if not isinstance(value, Stored | Real | Sum | Raw):
        raise call.refusal("should move a quantized tensor", type(value).__name__.lower())
    return value


def _shape(reader: Reader, value: Viewed) -> Shape:
    if isinstance(value, Raw):
        return reader.in_shape
    return value.shape if isinstance(value, Sum) else value.tensor.shape


def _tensor(reader: Reader, value: Viewed, call: Call) -> Stored | Real:
    """A value whose integers are there."""
    if isinstance(value, Raw):
        raise call.refusal("the input should be quantized before its values are reordered", reader.file.source)
    return reader.as_real(value, call) if isinstance(value, Sum) else value


def reshape(reader: Reader, call: Call) -> Value | Raw:
    """Reshape, Flatten, Squeeze, Unsqueeze."""
    value = reader.value(call)
    if isinstance(value, Quantized):
        return _reshaped_constant(reader, call, value)
    if isinstance(value, Softmax):
        return value
    viewed = _viewed(reader, call)
    return _reshaped(reader, call, viewed, _target(reader, call, (1, *reader.sizes(viewed))))


def _target(reader: Reader, call: Call, sizes: tuple[int, ...]) -> tuple[int, ...]:
    """The shape that a reshaping operation gives, with its batch of 1."""
    if call.op == "Flatten":
        axis = int(call.attributes.get("axis", 1)) % (len(sizes) + 1)
        return math.prod(sizes[:axis]), math.prod(sizes[axis:])
    if call.op == "Reshape":
        given = reader.array(call, 1)
        return _filled(call, sizes, [int(each) for each in given.ravel()] if given is not None else [])
    axes = reader.numbers(call, "axes", 1)
    if call.op == "Squeeze":
        gone = {axis % len(sizes) for axis in axes} if axes is not None else {i for i, n in enumerate(sizes) if n == 1}
        if any(sizes[axis] != 1 for axis in gone):
            raise call.damage("axes of size 1 should be squeezed", f"{sizes}, {axes}")
        return tuple(size for axis, size in enumerate(sizes) if axis not in gone)
    rank = len(sizes) + len(axes or ())
    added, rest = {axis % rank for axis in axes or ()}, iter(sizes)
    return tuple(1 if axis in added else next(rest) for axis in range(rank))


def _filled(call: Call, sizes: tuple[int, ...], given: list[int]) -> tuple[int, ...]:
    if given and given[0] == -1 and given.count(-1) == 1 and math.prod(given[1:]) == math.prod(sizes):
        given[0] = 1
    copied = [sizes[axis] if size == 0 and axis < len(sizes) else size for axis, size in enumerate(given)]
    rest = math.prod(size for size in copied if size != -1)
    filled = tuple(math.prod(sizes) // max(rest, 1) if size == -1 else size for size in copied)
    if copied.count(-1) > 1 or min(filled, default=0) < 1 or math.prod(filled) != math.prod(sizes):
        raise call.damage(f"a shape should hold {math.prod(sizes)} numbers", str(given))
    return filled


def _reshaped(reader: Reader, call: Call, value: Viewed, target: tuple[int, ...]) -> Value | Raw:
    if not target or target[0] != 1 or not 2 <= len(target) <= 5:
        raise call.refusal("the batch should stay the first axis, and 2 to 5 axes remain", str(target))
    view = views.regrouped(value.view, _shape(reader, value), target[1:])
    if view is not None:
        return replace(value, view=view)
    wide = [size for size in target[1:] if size > 1]
    if len(wide) > 3:
        raise call.refusal("tensors should have three axes larger than 1", str(target))
    held = _tensor(reader, value, call)
    height, width, channels = (*(1,) * (3 - len(wide)), *wide)
    order = views.order(held.view)
    tensor = reader.build.arranged(held.tensor, order, (height, width, channels), reader.name_of(call))
    labels = iter(views.LABELS[3 - len(wide) :])
    shown = tuple((next(labels),) if size > 1 else () for size in target[1:])
    return replace(held, tensor=tensor, view=shown)


def _reshaped_constant(reader: Reader, call: Call, value: Quantized) -> Quantized:
    target = _target(reader, call, value.integers.shape)
    if value.scale.size > 1:
        lead = math.prod(value.integers.shape[: value.axis])
        places = [
            axis for axis in range(len(target)) if math.prod(target[:axis]) == lead and target[axis] == value.scale.size
        ]
        if not places:
            raise call.refusal("weights with a scale for each channel should keep their channels", str(target))
        value = replace(value, axis=places[0])
    return replace(value, integers=value.integers.reshape(target))


def transpose(reader: Reader, call: Call) -> Value | Raw:
    """Transpose; the batch stays first."""
    value = reader.value(call)
    rank = value.integers.ndim if isinstance(value, Quantized) else len(_viewed(reader, call).view) + 1
    axes = [int(each) for each in call.attributes.get("perm", range(rank)[::-1])]
    if sorted(axes) != list(range(rank)):
        raise call.damage("perm should name every axis once", str(axes))
    if isinstance(value, Quantized):
        axis = axes.index(value.axis) if value.scale.size > 1 else 0
        return replace(value, integers=value.integers.transpose(axes), axis=axis)
    viewed = _viewed(reader, call)
    if axes[0] != 0:
        raise call.refusal("the batch should stay the first axis", str(axes))
    return replace(viewed, view=tuple(viewed.view[axis - 1] for axis in axes[1:]))


def concat(reader: Reader, call: Call) -> Joined | Stored:
    """Concat of quantized tensors."""
    given = [reader.value(call, number) for number in range(len(call.inputs))]
    if all(isinstance(each, Stored) for each in given):
        stored = [each for each in given if isinstance(each, Stored)]
        if len({each.tensor.raised for each in stored}) > 1 or len({each.tensor.lo < 0 for each in stored}) > 1:
            raise call.refusal("inputs should be quantized alike", "different zero points")
        reals = tuple(reader.dequantized(each) for each in stored)
        value = joined(reader, call, reals, int(call.attributes.get("axis", 1)))
        tensors = tuple(real.tensor for real in value.reals)
        return Stored(reader.build.joined(tensors, value.label, reader.name_of(call)), _joined_view(value))
    reals = tuple(reader.line(call, number) for number in range(len(call.inputs)))
    return joined(reader, call, reals, int(call.attributes.get("axis", 1)))


def joined(reader: Reader, call: Call, reals: Sequence[Real], axis: int) -> Joined:
    """Tensors one after the other along an axis of the file."""
    rank = len(reals[0].view) + 1
    axis %= rank
    if axis == 0 or any(len(real.view) + 1 != rank for real in reals):
        raise call.refusal("inputs of one rank should be joined along an axis but the batch", f"axis {axis}")
    if len(reals) == 1 or rank > 4:
        raise call.refusal("two or more tensors of at most 4 dimensions should be joined", str(len(reals)))
    laid = [replace(real, tensor=reader.laid_out(real.tensor, real.view, call)) for real in reals]
    label = ("c", "h", "w")[axis - 1]
    full = tuple((each,) for each in ("c", "h", "w")[: rank - 1])
    return Joined(call, tuple(replace(real, view=full) for real in laid), label)


def _joined_view(value: Joined) -> View:
    return value.reals[0].view


def slice_(reader: Reader, call: Call) -> Value:
    """Slice by steps of 1."""
    viewed = _viewed(reader, call)
    rank = len(viewed.view) + 1
    starts, ends = (reader.numbers(call, name, number) for name, number in (("starts", 1), ("ends", 2)))
    axes, steps = reader.numbers(call, "axes", 3), reader.numbers(call, "steps", 4)
    if starts is None or ends is None or any(step != 1 for step in steps or ()):
        raise call.refusal("slices should have steps of 1", str(steps))
    value = _tensor(reader, viewed, call)
    for axis, start, end in zip(axes or range(len(starts)), starts, ends, strict=True):
        size = (1, *reader.sizes(value))[axis % rank]
        begin, stop = (int(np.clip(each + size if each < 0 else each, 0, size)) for each in (start, end))
        value = _cut(reader, call, value, axis % rank, begin, stop - begin)
    return value


def _cut(reader: Reader, call: Call, value: Stored | Real, axis: int, begin: int, size: int) -> Stored | Real:
    whole = (1, *reader.sizes(value))[axis]
    if (begin, size) == (0, whole):
        return value
    if size < 1 or axis == 0 or len(value.view[axis - 1]) != 1:
        raise call.refusal("a part of one axis but the batch should remain", f"{size} of axis {axis}")
    place = views.LABELS.index(value.view[axis - 1][0])
    begins, shape = [0, 0, 0], list(value.tensor.shape)
    begins[place], shape[place] = begin, size
    out = (shape[0], shape[1], shape[2])
    tensor = reader.build.part(value.tensor, (begins[0], begins[1], begins[2]), out, reader.name_of(call))
    return replace(value, tensor=tensor, view=views.without_units(value.view, out))


def split(reader: Reader, call: Call) -> tuple[Value, ...]:
    """Split into parts of given or equal sizes."""
    value = _tensor(reader, _viewed(reader, call), call)
    axis = int(call.attributes.get("axis", 0)) % (len(value.view) + 1)
    whole, count = (1, *reader.sizes(value))[axis], len(call.outputs)
    given = reader.numbers(call, "split", 1)
    each = -(-whole // count)
    parts = given or (*(each,) * (count - 1), whole - each * (count - 1))
    if len(parts) != count or sum(parts) != whole or min(parts) < 1:
        raise call.damage(f"parts should sum up to {whole}", str(parts))
    begins = np.cumsum((0, *parts[:-1])).tolist()
    return tuple(_cut(reader, call, value, axis, begin, size) for begin, size in zip(begins, parts, strict=True))


def pad(reader: Reader, call: Call) -> Value:
    """Pad height and width with a constant."""
    viewed = _viewed(reader, call)
    rank = len(viewed.view) + 1
    pads, axes = reader.numbers(call, "pads", 1), reader.numbers(call, "axes", 3)
    if pads is None or call.attributes.get("mode", "constant") != "constant":
        raise call.refusal("padding should be constant", str(call.attributes.get("mode")))
    places = [axis % rank for axis in axes] if axes is not None else list(range(rank))
    if len(pads) != 2 * len(places) or min(pads) < 0 or max(pads) > LARGEST:
        raise call.damage("pads should be two numbers from 0 for each axis", str(pads))
    sides = {axis: (pads[number], pads[number + len(places)]) for number, axis in enumerate(places)}
    if any(sides.get(0, ())) or (any(sides.get(1, ())) and rank == 4) or rank > 4:
        raise call.refusal("height and width should be padded", str(pads))
    value = _tensor(reader, viewed, call)
    if not any(pads):
        return value
    return _padded(reader, call, value, sides)


def _padded(reader: Reader, call: Call, value: Stored | Real, sides: dict[int, tuple[int, int]]) -> Value:
    if any(sides.get(1, ())):
        raise call.refusal("height and width should be padded", str(sides))
    constant = reader.array(call, 2)
    number = float(call.attributes.get("value", 0.0) if constant is None else constant.ravel()[0])
    real = value if isinstance(value, Real) else reader.dequantized(value)
    stored = number / real.scale + real.zero
    if real.curve is not None or stored != round(stored) or not real.tensor.lo <= stored <= real.tensor.hi:
        raise call.refusal("padding should be a value that the quantized tensor can have", f"{number}")
    tensor = reader.laid_out(real.tensor, real.view, call)
    top, bottom, left, right = *sides.get(2, (0, 0)), *sides.get(3, (0, 0))
    tensor = reader.build.padded(tensor, (top, bottom, left, right), int(stored), reader.name_of(call))
    return replace(value, tensor=tensor, view=views.of_chw(len(value.view) + 1, tensor.shape))


HANDLERS: dict[tuple[str, str], Handler] = {
    ("", "Identity"): identity,
    ("", "Dropout"): identity,
    ("", "Reshape"): reshape,
    ("", "Flatten"): reshape,
    ("", "Squeeze"): reshape,
    ("", "Unsqueeze"): reshape,
    ("", "Transpose"): transpose,
    ("", "Concat"): concat,
    ("", "Slice"): slice_,
    ("", "Split"): split,
    ("", "Pad"): pad,
}
