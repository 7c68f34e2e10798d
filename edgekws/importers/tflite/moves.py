"""Operators that give values other shapes or places: RESHAPE, SQUEEZE, EXPAND_DIMS."""

from __future__ import annotations

import math

from edgekws.errors import ArtifactError
from edgekws.importers.tflite.builder import Builder
from edgekws.importers.tflite.schema import Operator


def reshape(build: Builder, operator: Operator) -> None:
    """RESHAPE, to a constant shape with at most one -1."""
    number, sizes = build.inputs(operator, 1, 2)
    wanted = build.integers(operator, sizes, "the shape") if sizes >= 0 else list(operator.options["shape"])
    count = math.prod(build.shape(operator, number))
    known = math.prod(size for size in wanted if size != -1)
    if wanted.count(-1) > 1 or known < 1 or count % known or len(wanted) > 6:
        raise ArtifactError(f"{operator.place}: a shape of {count} values was expected", got=str(wanted[:6]))
    _renamed(build, operator, number, tuple(count // known if size == -1 else size for size in wanted))


def squeeze(build: Builder, operator: Operator) -> None:
    """SQUEEZE: axes of size 1 vanish."""
    (number,) = build.inputs(operator, 1)
    shape = build.shape(operator, number)
    given = {axis + len(shape) * (axis < 0) for axis in operator.options["axes"]}
    if any(not 0 <= axis < len(shape) or shape[axis] != 1 for axis in given):
        raise ArtifactError(f"{operator.place}: axes of size 1 were expected", got=f"{sorted(given)} of {list(shape)}")
    _renamed(
        build, operator, number,
        tuple(size for axis, size in enumerate(shape) if not (axis in given or (not given and size == 1))),
    )  # fmt: skip


def expand_dims(build: Builder, operator: Operator) -> None:
    """EXPAND_DIMS: one more axis, of size 1."""
    number, where = build.inputs(operator, 2)
    shape = build.shape(operator, number)
    axes = build.integers(operator, where, "the axis")
    if len(axes) != 1 or not -len(shape) - 1 <= axes[0] <= len(shape):
        raise ArtifactError(f"{operator.place}: an axis of {len(shape) + 1} was expected", got=str(axes))
    place = axes[0] + (len(shape) + 1) * (axes[0] < 0)
    _renamed(build, operator, number, (*shape[:place], 1, *shape[place:]))


def _renamed(build: Builder, operator: Operator, number: int, shape: tuple[int, ...]) -> None:
    """The output has the input's values in another shape."""
    output = build.output(operator)
    if math.prod(shape) != math.prod(build.shape(operator, number)):
        raise ArtifactError(f"{operator.place}: the shape should keep the count", got=str(list(shape)))
    known = build.constant(number)
    if known is not None:
        build.fix(operator, output, shape)
        build.constants[output] = known.reshape(shape)
        return
    build.require_int8(operator, number, output)
    build.require_same(operator, number, output)
    build.give(operator, output, build.activation(operator, number), shape)
