"""What stands between two nodes of the file, from 8-bit integers of the graph to sums that wait for their rounding."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from edgekws.graph.attributes import Shape
from edgekws.importers._onnx import views
from edgekws.importers._onnx.file import LARGEST, Call
from edgekws.importers._onnx.views import View


@dataclass(frozen=True)
class Tensor:
    """Integers of the graph: an output of a node, or its input. raised: integer of the graph - integer of the file."""

    name: str
    shape: Shape
    lo: int
    hi: int
    raised: int = 0


@dataclass(frozen=True)
class Stored:
    """An integer tensor of the file."""

    tensor: Tensor
    view: View


@dataclass(frozen=True)
class Real:
    """scale * (q - zero) for the integers q of a tensor, or a function of it.

    curve: float32 [1 or channels, 256], the values by the byte of q; None for the line itself.
    """

    tensor: Tensor
    view: View
    scale: float
    zero: int
    curve: np.ndarray | None = None

    def line(self) -> np.ndarray:
        """float32 [1 or channels, 256]: the values by the byte of q."""
        if self.curve is not None:
            return self.curve
        byte = np.arange(256)
        q = byte if self.tensor.lo >= 0 else (byte + 128) % 256 - 128
        return np.asarray((q - self.zero).astype(np.float32) * np.float32(self.scale))[None]


@dataclass(frozen=True)
class Quantized:
    """A constant scale * (integers - zero). integers: int64; scale, zero: [] or [entries of `axis`]."""

    integers: np.ndarray
    scale: np.ndarray
    zero: np.ndarray
    axis: int
    bits: int

    def centred(self) -> np.ndarray:
        """int64: the integers without their zero point."""
        return np.asarray(self.integers - self._spread(self.zero))

    def real(self) -> np.ndarray:
        """float64"""
        return np.asarray(self.centred() * self._spread(self.scale))

    def _spread(self, values: np.ndarray) -> np.ndarray:
        if values.ndim == 0 or self.integers.ndim == 0:
            return values.reshape(()) if values.size == 1 else values
        return values.reshape([-1 if axis == self.axis else 1 for axis in range(self.integers.ndim)])


@dataclass(frozen=True)
class Sum:
    """clip(step * floor(factor * (acc + offset) + bias), lo, hi), the floor only where `floored`.

    acc: the sum of products of a node with its inputs less their zero points. factor, offset, bias: float64 [channels];
    parts: the factors of `factor` in the order of the file. zeros: of the inputs. weight: int64 as in Node, or None.
    taken: float64 [height, width], subtracted at each position; only a mean may have it. fields: what else the node
    has. call: of the file, for names and messages.
    """

    call: Call
    op: str
    tensors: tuple[Tensor, ...]
    zeros: tuple[int, ...]
    shape: Shape
    view: View
    factor: np.ndarray
    offset: np.ndarray
    bias: np.ndarray
    weight: np.ndarray | None = None
    bits: int = 8
    fields: dict[str, Any] = field(default_factory=dict)
    parts: tuple[np.ndarray, ...] = ()
    floored: bool = False
    step: float = 1.0
    lo: float = -np.inf
    hi: float = np.inf
    taken: np.ndarray | None = None

    @classmethod
    def of(
        cls,
        call: Call,
        op: str,
        reals: tuple[Real, ...],
        shape: Shape,
        view: View,
        factor: float | np.ndarray,
        **more: Any,  # noqa: ANN401
    ) -> Sum:
        """Without bias and clipping. factor: of all channels, or one for each."""
        if math.prod(shape) > LARGEST:
            raise call.refusal(f"tensors should have at most {LARGEST} numbers", f"{shape}")
        nothing = np.zeros(shape[2])
        return cls(
            call, op, tuple(real.tensor for real in reals), tuple(real.zero for real in reals), shape,
            views.without_units(view, shape), nothing + factor, nothing, nothing, **more,
        )  # fmt: skip

    @property
    def is_clipped(self) -> bool:
        return bool(np.isfinite(self.lo) or np.isfinite(self.hi))

    def without(self, constant: np.ndarray) -> Sum:
        """Less a constant for each position, float64 [height, width]; `Sized` takes it up."""
        fits = constant.shape == self.shape[:2] and (self.factor == 1).all() and not (self.offset.any() or self.floored)
        self._require(bool(fits) and not self.is_clipped and self.taken is None, "have one constant for each channel")
        return replace(self, taken=constant)

    def added(self, constant: np.ndarray) -> Sum:
        """constant: float64 [] or [channels]"""
        self._require_finite(constant)
        self._require(not self.floored and not self.is_clipped, "be added to before it is rounded and clipped")
        if (self.factor == 1).all():
            return replace(self, offset=self.offset + constant)
        return replace(self, bias=self.bias + constant)

    def scaled(self, constant: np.ndarray) -> Sum:
        """constant: float64 [] or [channels]"""
        self._require_finite(constant)
        if self.floored:
            self._require(bool((constant == constant.flat[0]).all() and constant.flat[0] > 0), "have one step above 0")
            step = float(constant.flat[0])
            return replace(self, step=self.step * step, lo=self.lo * step, hi=self.hi * step)
        plain = self.lo in (0, -np.inf) and self.hi == np.inf
        self._require(not self.is_clipped or (plain and bool((constant > 0).all())), "be scaled before it is clipped")
        part = np.broadcast_to(constant, self.factor.shape)
        return replace(self, factor=self.factor * part, bias=self.bias * part, parts=(*self.parts, part))

    def to_floor(self) -> Sum:
        """Rounded down."""
        self._require(not self.floored or self.step == 1, "be rounded once")
        return replace(self, floored=True, lo=np.floor(self.lo), hi=np.floor(self.hi))

    def clipped(self, lo: float, hi: float) -> Sum:
        """Within lo..hi, after the bounds that it has already."""
        self._require(lo <= hi, "have a range that is not empty")
        return replace(self, lo=float(np.clip(self.lo, lo, hi)), hi=float(np.clip(self.hi, lo, hi)))

    def _require_finite(self, constant: np.ndarray) -> None:
        if not np.isfinite(constant).all():
            raise self.call.refusal("constants should be finite numbers", f"{constant.ravel()[:4]}")

    def _require(self, holds: bool, expected: str) -> None:
        if not holds:
            raise self.call.refusal(f"its output should {expected}", "another order of operations")


@dataclass(frozen=True)
class Softmax:
    """Of the channels of a tensor; it waits for its quantization."""

    call: Call
    real: Real


@dataclass(frozen=True)
class Joined:
    """Tensors one after the other along a label of their views; they wait for their common quantization."""

    call: Call
    reals: tuple[Real, ...]
    label: str


@dataclass(frozen=True)
class Sized:
    """|sum| or its sign, of the rounding that edgekws writes for a mean: floor(factor * |sum| + bias) and its sign."""

    source: Sum
    factor: np.ndarray | float = 1.0
    bias: np.ndarray | float = 0.0
    floored: bool = False
    is_sign: bool = False


Value = np.ndarray | Quantized | Stored | Real | Sum | Softmax | Joined | Sized
