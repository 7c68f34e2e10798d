"""How the axes of a tensor in the file lie on the height, width and channels of a tensor of the graph.

A view has, for each axis of the file but the batch, the labels "h", "w", "c" that it runs through, the slowest first.
Labels of size 1 are left out, and an axis of size 1 is (). [n, c, h, w] is (("c",), ("h",), ("w",)); flattened, it is
(("c", "h", "w"),). Transposing and flattening then change the view alone, and no integer moves.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from edgekws.graph.attributes import Shape

LABELS = ("h", "w", "c")
View = tuple[tuple[str, ...], ...]


def size_of(label: str, shape: Shape) -> int:
    return shape[LABELS.index(label)]


def of_chw(rank: int, shape: Shape) -> View:
    """The view of a convolution's output: [n, c, h, w], [n, c, h] (rank 3) or [n, c] (rank 2)."""
    return without_units(tuple((label,) for label in ("c", "h", "w")[: rank - 1]), shape)


def without_units(view: View, shape: Shape) -> View:
    return tuple(tuple(label for label in axis if size_of(label, shape) > 1) for axis in view)


def sizes(view: View, shape: Shape) -> tuple[int, ...]:
    """Of the axes of the file, without the batch."""
    return tuple(math.prod(size_of(label, shape) for label in axis) for axis in view)


def order(view: View) -> tuple[str, ...]:
    """The labels from the slowest to the fastest."""
    return tuple(label for axis in view for label in axis)


def regrouped(view: View, shape: Shape, into: Sequence[int]) -> View | None:
    """The same order with axes of these sizes; None where a label would be split."""
    rest, axes = list(order(view)), []
    for size in into:
        axis: list[str] = []
        while math.prod(size_of(label, shape) for label in axis) < size and rest:
            axis.append(rest.pop(0))
        if math.prod(size_of(label, shape) for label in axis) != size:
            return None
        axes.append(tuple(axis))
    return None if rest else tuple(axes)


def permutation(labels: Sequence[str]) -> tuple[int, int, int]:
    """The axes of a transposition that brings `labels` into this order; labels left out have size 1 and come last."""
    full = [*labels, *(label for label in LABELS if label not in labels)]
    first, second, third = (LABELS.index(label) for label in full)
    return first, second, third


def in_order(labels: Sequence[str]) -> bool:
    """Whether the labels already lie as the graph stores them."""
    return list(labels) == sorted(labels, key=LABELS.index)
