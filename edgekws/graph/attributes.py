"""The fields of a node that the op table reads; edgekws.graph.ir.Node explains them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

Shape = tuple[int, int, int]


@dataclass(frozen=True)
class Operand:
    """How an op of several inputs reads one of them: (x - zero), scaled by mult / 2^31 / 2^shift where the op scales.

    mult: 2^30..2^31-1; shift: -31..31.
    """

    zero: int = 0
    mult: int = 1 << 30
    shift: int = 0


class Attributes(Protocol):
    """A node, without its name, its inputs and its requantization."""

    @property
    def op(self) -> str: ...
    @property
    def in_shape(self) -> Shape: ...
    @property
    def in_shapes(self) -> tuple[Shape, ...]: ...
    @property
    def out_shape(self) -> Shape: ...
    @property
    def weight(self) -> np.ndarray | None: ...
    @property
    def kernel(self) -> tuple[int, int]: ...
    @property
    def extent(self) -> tuple[int, int]: ...
    @property
    def stride(self) -> tuple[int, int]: ...
    @property
    def dilation(self) -> tuple[int, int]: ...
    @property
    def pad(self) -> tuple[int, int, int, int]: ...
    @property
    def pad_value(self) -> int: ...
    @property
    def is_unsigned(self) -> bool: ...
    @property
    def operands(self) -> tuple[Operand, ...]: ...
    @property
    def axes(self) -> tuple[int, ...]: ...
    @property
    def begin(self) -> tuple[int, ...]: ...
    @property
    def body(self) -> tuple[Any, ...]: ...
