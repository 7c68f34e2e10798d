"""A float network as a list of layers with batch normalization folded in: the input of quantization.

The front ends build it: frontends.torch_fx from a torch module, frontends.onnx from a file.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch.nn import functional

from edgekws.errors import TargetError
from edgekws.graph.attributes import Shape
from edgekws.graph.ir import INPUT
from edgekws.graph.ops import OPS, Op, Operation
from edgekws.graph.sums import STATE, step
from edgekws.quant.curves import Curve

Tensors = dict[str, torch.Tensor]
Sides = tuple[int, int, int, int]
"""Rows and columns of padding: (top, bottom, left, right)."""


@dataclass(frozen=True)
class Layer:
    """One layer of a float network.

    inputs: names of earlier layers, or INPUT.

    weight: float [c_out, c_in / groups, k_h, k_w], [c_out, n] (linear), [c] (scale: the gains), [1 or c] (table: the
    slopes of a PReLU), else empty.
    bias: float [c_out], empty where there is no weight. pad: (top, bottom, left, right).
    relu: whether negative results become 0. low, high: further limits of the results, as of a ReLU6. curve: the
    function of a table. channels: of a mean of windows. axes, begin, out_shape: of ops that move values, in the order
    of Node: rows, columns, channels.
    body: of a scan, the layers that compute the next state, [c], from a row of each input, [c], and the state.
    """

    name: str
    kind: Op
    inputs: tuple[str, ...]
    weight: torch.Tensor
    bias: torch.Tensor
    stride: tuple[int, int] = (1, 1)
    pad: Sides = (0, 0, 0, 0)
    window: tuple[int, int] = (0, 0)
    relu: bool = False
    curve: Curve | None = None
    dilation: tuple[int, int] = (1, 1)
    low: float = -math.inf
    high: float = math.inf
    axes: tuple[int, ...] = ()
    begin: tuple[int, ...] = ()
    out_shape: Shape | None = None
    channels: int = 0
    body: tuple[Layer, ...] = ()

    @property
    def operation(self) -> Operation:
        """The row of the op table."""
        return OPS[self.kind]

    def shape_after(self, in_shapes: Sequence[Shape]) -> Shape:
        """The output's shape; both in the order of Node: rows, columns, channels."""
        row, first = self.operation, in_shapes[0]
        if self.body:  # one state for each row
            return self.out_shape or first
        if row.shape_of is not None:
            return row.shape_of(_Moved(first, tuple(in_shapes), self.out_shape or first, self.axes))  # type: ignore[arg-type]
        if row.input_count > 1:
            rows, columns, channels = (max(sizes) for sizes in zip(*in_shapes, strict=True))
            return rows, columns, channels
        return row.out_shape(first, len(self.weight), self.kernel, self.stride, self.pad, self.dilation)

    @property
    def kernel(self) -> tuple[int, int]:
        """Rows and columns of a filter or a window; (0, 0) where that has no meaning."""
        return (self.weight.shape[2], self.weight.shape[3]) if self.operation.is_convolution else self.window

    @property
    def has_gains(self) -> bool:
        """Whether `weight` is a factor for each channel, which requantization applies."""
        return len(self.weight) > 0 and not self.operation.is_weighted and not self.operation.is_table

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        """The float output, [n, c, ...]."""
        y = self.accumulate(*inputs)
        if self.operation.is_global_pool:
            y = y / math.prod(inputs[0].shape[2:])
        elif self.has_gains:
            y = y * along_channels(self.weight, y)
        if len(self.bias):
            y = y + along_channels(self.bias, y)
        y = functional.relu(y) if self.relu else y
        return torch.clamp(y, self.low, self.high) if self.is_limited else y

    @property
    def is_limited(self) -> bool:
        """Whether results have a limit besides that of a ReLU."""
        return not (math.isinf(self.low) and math.isinf(self.high))

    def accumulate(self, *inputs: torch.Tensor, weight: torch.Tensor | None = None) -> torch.Tensor:
        """The layer's sum, with `weight` instead of its own if given. Exact on integers while no sum reaches 2**24."""
        if not self.operation.is_weighted:
            return _WEIGHTLESS[self.kind](self, *inputs)
        (x,) = inputs
        with _exact(x.device):
            return self._weighted_sum(x, self.weight if weight is None else weight)

    def _weighted_sum(self, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        if self.operation.is_dense:
            return functional.linear(x.flatten(1), weight)
        return _convolve(self, in_four(x), weight)


@dataclass(frozen=True)
class _Moved:
    """What the shape of moved values depends on."""

    in_shape: Shape
    in_shapes: tuple[Shape, ...]
    out_shape: Shape
    axes: tuple[int, ...]


def _add(_: Layer, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    x, y = of_one_rank(x, y)
    return x + y


def _global_sum_pool(_: Layer, x: torch.Tensor) -> torch.Tensor:
    return in_four(x).sum(dim=(2, 3), keepdim=True)


def _max_pool(layer: Layer, x: torch.Tensor) -> torch.Tensor:
    """Padding is lower than any value."""
    x = in_four(x)
    padded = _padded(x, layer.pad, -math.inf) if any(layer.pad) else x
    return functional.max_pool2d(padded, layer.window, layer.stride)


def _average_pool(layer: Layer, x: torch.Tensor) -> torch.Tensor:
    total, count = window_sums(layer, x)
    return total / count


def window_sums(layer: Layer, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(sums of the windows of a pool, how many positions inside the input each has)."""
    x = in_four(x)
    total, count = (
        functional.avg_pool2d(_padded(each, layer.pad), layer.window, layer.stride, divisor_override=1)
        for each in (x, torch.ones_like(x[:1, :1]))
    )
    return total, count


def _concat(layer: Layer, *inputs: torch.Tensor) -> torch.Tensor:
    return torch.cat([in_four(x) for x in inputs], _TORCH_AXES[layer.axes[0]])


def _slice(layer: Layer, x: torch.Tensor) -> torch.Tensor:
    assert layer.out_shape is not None
    for axis, (start, size) in enumerate(zip(layer.begin, layer.out_shape, strict=True)):
        x = in_four(x).narrow(_TORCH_AXES[axis], start, size)
    return x


def _transpose(layer: Layer, x: torch.Tensor) -> torch.Tensor:
    rows_first = in_four(x).permute(0, 2, 3, 1)
    return rows_first.permute(0, *(axis + 1 for axis in layer.axes)).permute(0, 3, 1, 2)


def _reshape(layer: Layer, x: torch.Tensor) -> torch.Tensor:
    """In the order rows, columns, channels."""
    assert layer.out_shape is not None
    return in_four(x).permute(0, 2, 3, 1).reshape(len(x), *layer.out_shape).permute(0, 3, 1, 2)


_TORCH_AXES = (2, 3, 1)
"""Rows, columns and channels among the axes [n, c, h, w]."""


def _scale(_: Layer, x: torch.Tensor) -> torch.Tensor:
    return x


def _mul(_: Layer, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    x, y = of_one_rank(x, y)
    return x * y


def _table(layer: Layer, x: torch.Tensor) -> torch.Tensor:
    assert layer.curve is not None
    slopes = layer.weight
    return layer.curve(x, along_channels(slopes, x) if len(slopes) > 1 else slopes)


def _scan(layer: Layer, *inputs: torch.Tensor) -> torch.Tensor:
    return torch.cat([_as_row(values[layer.body[-1].name]) for values in rows_of(layer, *inputs)], 2)


def rows_of(layer: Layer, *inputs: torch.Tensor) -> Iterator[Tensors]:
    """What the layers of a scan's body read and give, for each row of its inputs [n, c, rows, 1]."""
    state = torch.zeros_like(inputs[0][:, :, :1])
    for row in range(inputs[0].shape[2]):
        values: Tensors = {step(number): x[:, :, row : row + 1] for number, x in enumerate(inputs)} | {STATE: state}
        for each in layer.body:
            values[each.name] = each.forward(*(values[name] for name in each.inputs))
        yield values
        state = _as_row(values[layer.body[-1].name])


def _as_row(state: torch.Tensor) -> torch.Tensor:
    return state.view(len(state), -1, 1, 1)


CONCAT: Op = "concat"
MUL: Op = "mul"
RESHAPE: Op = "reshape"
SLICE: Op = "slice"
TRANSPOSE: Op = "transpose"
_WEIGHTLESS: dict[Op, Callable[..., torch.Tensor]] = {
    "add": _add,
    "average_pool": _average_pool,
    CONCAT: _concat,
    "global_sum_pool": _global_sum_pool,
    "max_pool": _max_pool,
    MUL: _mul,
    "rescaled_add": _add,
    RESHAPE: _reshape,
    "scale": _scale,
    "scan": _scan,
    SLICE: _slice,
    "table": _table,
    TRANSPOSE: _transpose,
}
"""The sums in torch of the ops without weights that front ends make."""


def in_four(x: torch.Tensor) -> torch.Tensor:
    """[n, c] or [n, c, h, w] -> [n, c, h, w]."""
    return x if x.ndim == 4 else x[:, :, None, None]


def of_one_rank(x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Views with equally many axes: scores [n, c] of a linear layer meet maps [n, c, h, w]."""
    rank = max(x.ndim, y.ndim)
    first, second = (each.view(*each.shape, *([1] * (rank - each.ndim))) for each in (x, y))
    return first, second


def along_channels(values: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """A view of values [c] that broadcasts over `like` [n, c, ...]."""
    return values.view(1, -1, *([1] * (like.ndim - 2)))


def run_layers(layers: Sequence[Layer], x: torch.Tensor) -> Tensors:
    """Every layer's output by name, INPUT included."""
    values: Tensors = {INPUT: x}
    for layer in layers:
        values[layer.name] = layer.forward(*(values[name] for name in layer.inputs))
    return values


def with_bodies(layers: Sequence[Layer]) -> Iterator[Layer]:
    """The layers, a scan followed by those of its body."""
    for layer in layers:
        yield layer
        yield from layer.body


def signed_layers(layers: Sequence[Layer], outside: Mapping[str, bool] | None = None) -> dict[str, bool]:
    """Whether each tensor is signed (-128..127) or unsigned (0..255). outside: what the layers read; by default INPUT.

    A tensor is unsigned after a ReLU. Pools, sums and products without a ReLU pass on the sign of their inputs; that of
    a table is its function's.
    """
    signed = {INPUT: True} if outside is None else dict(outside)
    for layer in layers:
        operation = layer.operation
        inherits = operation.is_global_pool or operation.broadcasts or not operation.is_scaled
        negative = not inherits or any(signed[name] for name in layer.inputs)
        signed[layer.name] = not layer.relu and (negative if layer.curve is None else layer.curve.signed)
        if layer.body:
            signed[layer.name] = True  # the state of a gated recurrent unit is within -1..1
    return signed


def require_valid_weights(layers: Sequence[Layer]) -> None:
    """Raises TargetError, with layer and channel, for NaN, infinity and gains of zero.

    A filter of zeros is valid: its channel is the constant of its bias.
    """
    for layer in with_bodies(layers):
        for field, values in (("weight", layer.weight), ("bias", layer.bias)):
            bad = (~torch.isfinite(values)).flatten(1).any(1) if values.ndim > 1 else ~torch.isfinite(values)
            if bad.any():
                expected = f"{layer.name}: {field} should be finite"
                got = f"NaN or infinity in channel {int(bad.nonzero()[0])}"
                raise TargetError(expected, got=got, hint="train the network again")
        zero = layer.weight == 0 if layer.weight.ndim == 1 else torch.zeros(1, dtype=torch.bool)
        if zero.any() and layer.curve is None:
            raise TargetError(
                f"{layer.name}: every gain should be other than zero",
                got=f"0 in channel {int(zero.nonzero()[0])}",
                hint="remove the channel: it is a constant",
            )


def _convolve(layer: Layer, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    top, bottom, left, right = layer.pad
    symmetric = top == bottom and left == right
    padded, padding = (x, (top, left)) if symmetric else (_padded(x, layer.pad), (0, 0))
    groups = x.shape[1] if layer.operation.is_depthwise else 1
    return functional.conv2d(padded, weight, None, layer.stride, padding, layer.dilation, groups)


def _padded(x: torch.Tensor, sides: Sides, value: float = 0.0) -> torch.Tensor:
    top, bottom, left, right = sides
    return functional.pad(x, (left, right, top, bottom), value=value)


@contextmanager
def _exact(device: torch.device) -> Iterator[None]:
    """Turns off what would round sums of integers: the caller's autocast, and NNPACK's Winograd convolution, which
    torch uses where it has no oneDNN (Macs).
    """
    with torch.autocast(device.type, enabled=False), torch.backends.nnpack.flags(enabled=False):
        yield
