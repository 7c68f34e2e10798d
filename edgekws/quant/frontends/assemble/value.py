"""A tensor of the user's network as an arrangement of the values of one layer.

Most operations that move values cost nothing: flattening, transposing, reshaping, slicing and padding give another
arrangement, which the next layer with weights may take in. Only where it cannot do the values have to be moved.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch

from edgekws.errors import TargetError
from edgekws.quant.float_layers import Sides

ZERO = -1
"""The position of a padding zero."""
NO_PAD: Sides = (0, 0, 0, 0)
Shape = tuple[int, int, int]
"""torch's order: (channels, rows, columns)."""
_AXES = 3
Moved = torch.Tensor | Sequence[torch.Tensor]


@dataclass(frozen=True)
class Value:
    """source: the layer, or INPUT. index: int64, in the tensor's shape without the batch: which of the source's values
    [c, h, w], counted in that order, stands at each place, or ZERO. users: number of operations that read the source.
    batch: which axis is that of the clips, 0 but where recurrent layers want the rows first.
    """

    source: str
    index: torch.Tensor
    users: int = 1
    batch: int = 0

    @property
    def shape(self) -> tuple[int, ...]:
        """Without the batch."""
        return tuple(self.index.shape)

    def shape_of(self, clips: int) -> tuple[int, ...]:
        """With the batch, of so many clips."""
        return *self.shape[: self.batch], clips, *self.shape[self.batch :]

    @property
    def has_zeros(self) -> bool:
        return bool((self.index == ZERO).any())


def whole(shape: Shape) -> torch.Tensor:
    """The index of all values of a layer, as they are."""
    count = shape[0] * shape[1] * shape[2]
    return torch.arange(count).view(shape)


def moved(x: Value, move: Callable[[torch.Tensor], Moved], batch: int, name: str) -> list[Value]:
    """The results of an operation that only moves values. move: the operation itself, for positions [batch, ...].

    Raises TargetError where it mixes clips, and whatever `move` raises for a shape that does not fit.
    """
    span = int(x.index.max()) + 1
    clips = torch.stack([_of_clip(x.index, number * span) for number in range(batch)], x.batch)
    results = move(clips)
    several = [results] if isinstance(results, torch.Tensor) else list(results)
    return [_unstacked(x, each, batch, span, name) for each in several]


def _of_clip(index: torch.Tensor, offset: int) -> torch.Tensor:
    return torch.where(index == ZERO, ZERO, index + offset)


def _unstacked(x: Value, result: torch.Tensor, batch: int, span: int, name: str) -> Value:
    if not result.numel():
        raise TargetError(f"{name} should fit its input, {list(x.shape)}", got=f"an empty result, {list(result.shape)}")
    for axis in (axis for axis in range(result.ndim) if result.shape[axis] == batch):
        first, *others = result.unbind(axis)
        if all(torch.equal(each, _of_clip(first, (number + 1) * span)) for number, each in enumerate(others)):
            return replace(x, index=first.contiguous(), batch=axis)
    expected = f"{name} should keep the axis of the batch as it is"
    raise TargetError(expected, got=f"a result of {list(result.shape)} for a batch of {batch}")


def without_border(index: torch.Tensor) -> tuple[torch.Tensor, Sides]:
    """(what is left, sides) of an index [c, h, w] without the rows and columns of zeros around it."""
    full = (index != ZERO).any(0)
    if not bool(full.any()):
        return index, NO_PAD
    (top, bottom), (left, right) = (_ends(full.any(axis)) for axis in (1, 0))
    _, height, width = index.shape
    sides = (top, height - bottom, left, width - right)
    return index[:, top:bottom, left:right], sides


def _ends(full: torch.Tensor) -> tuple[int, int]:
    places = full.nonzero().flatten()
    return int(places[0]), int(places[-1]) + 1


def in_three(index: torch.Tensor) -> torch.Tensor:
    """An index of any number of axes as [c, h, w]: short ones get axes of 1, the last ones of long ones are merged."""
    if index.ndim > _AXES:
        return index.flatten(_AXES - 1)
    return index.reshape(*index.shape, *([1] * (_AXES - index.ndim)))
