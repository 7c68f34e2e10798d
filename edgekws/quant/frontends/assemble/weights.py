"""Convolutions, linear layers and normalizations of a user's network as layers."""

from __future__ import annotations

from dataclasses import replace

import torch

from edgekws.errors import TargetError
from edgekws.quant.float_layers import Sides
from edgekws.quant.frontends.assemble.convert import convolution
from edgekws.quant.frontends.assemble.joins import Joins
from edgekws.quant.frontends.assemble.value import NO_PAD, ZERO, Value, in_three, whole, without_border

_MAX_PAD = 1 << 12
_RANK = 3
_CHANNELS = 2
"""The axis of a Node's shapes."""
Pair = tuple[int, int]
Constant = float | torch.Tensor


class Weights(Joins):
    """Normalizations are folded into the layers before them."""

    def conv(
        self, x: Value, weight: torch.Tensor, bias: torch.Tensor | None, stride: Pair, pad: Sides, groups: int,
        name: str, dilation: Pair = (1, 1),
    ) -> Value:  # fmt: skip
        """weight: [c_out, c_in / groups, k_h, k_w] for x of [c, h, w], or [c_out, c_in / groups, k] for x of [c, t]."""
        if weight.ndim == len(x.shape) + 1 == _RANK:
            column = replace(x, index=x.index[:, :, None])
            result = self.conv(column, weight[..., None], bias, stride, pad, groups, name, dilation)
            return replace(result, index=result.index.squeeze(2))
        if weight.ndim != _RANK + 1 or len(x.shape) != _RANK:
            got = f"{list(x.shape)}, weights of {list(weight.shape)}"
            raise TargetError(f"{name} should read channels and one or two axes of positions", got=got)
        if groups < 1 or x.shape[0] != groups * weight.shape[1] or len(weight) % groups:
            got = f"{x.shape[0]} channels, {groups} groups, weights of {list(weight.shape)}"
            raise TargetError(f"{name} should fit its input", got=got)
        inner, border = without_border(x.index)
        x, sides = replace(x, index=inner), _sum(border, pad, name)
        bias = torch.zeros(len(weight)) if bias is None else bias
        fields = {"stride": stride, "pad": sides, "dilation": dilation}
        if weight.shape[1] == 1 and groups == len(weight) > 1:
            return self._filters(x, weight, bias, name, depthwise=True, **fields)
        if groups == 1:
            return self._filters(x, weight, bias, name, depthwise=False, **fields)
        return self._grouped(x, weight, bias, groups, name, **fields)

    def _filters(
        self, x: Value, weight: torch.Tensor, bias: torch.Tensor, name: str, *, depthwise: bool, **fields: object
    ) -> Value:
        order = None if depthwise else self._channel_order(x)
        if order is None:
            source = self.placed(x, x.index, name)
        else:  # weights take their inputs in any order
            source, weight = x.source, weight[:, order]
        prefix = "dw" if depthwise else "pw" if tuple(weight.shape[2:]) == (1, 1) else "conv"
        return self.layer(convolution(depthwise), prefix, (source,), name, weight=weight, bias=bias, **fields)

    def _channel_order(self, x: Value) -> torch.Tensor | None:
        """Where each channel of the source is among those of x, if x is the source with its channels reordered."""
        shape = self.shapes[x.source]
        if x.shape != shape or x.has_zeros:
            return None
        order = (x.index[:, 0, 0] // (shape[1] * shape[2])).argsort()
        return order if torch.equal(x.index[order], whole(shape)) else None

    def _grouped(
        self, x: Value, weight: torch.Tensor, bias: torch.Tensor, groups: int, name: str, **fields: object
    ) -> Value:
        """A convolution for each group of channels; with one channel a group, a depthwise one for each multiple."""
        multiple, depth = len(weight) // groups, weight.shape[1]
        if depth == 1:
            parts = [
                self._filters(x, weight[each::multiple], bias[each::multiple], name, depthwise=True, **fields)
                for each in range(multiple)
            ]
            joined = self.concat(parts, 0, name)
            index = joined.index.view(multiple, groups, *joined.shape[1:]).transpose(0, 1).flatten(0, 1)
            return replace(joined, index=index)
        parts = []
        for group in range(groups):
            filters = slice(group * multiple, (group + 1) * multiple)
            part = replace(x, index=x.index[group * depth : (group + 1) * depth], users=max(2, x.users))
            parts.append(self._filters(part, weight[filters], bias[filters], name, depthwise=False, **fields))
        return self.concat(parts, 0, name)

    def linear(self, x: Value, weight: torch.Tensor, bias: torch.Tensor | None, name: str) -> Value:
        """weight: [c_out, n], over the last axis: every position of the others gets its own sum."""
        if x.shape[-1] != weight.shape[1]:
            got = f"weights for {weight.shape[1]} values, of which there are {x.shape[-1]}"
            raise TargetError(f"{name} should fit its input", got=got)
        bias = torch.zeros(len(weight)) if bias is None else bias
        if len(x.shape) > 1:
            return self._linear_everywhere(x, weight, bias, name)
        if not self.is_rearranged(x):
            x = self.output(self.placed(x, x.index[:, None, None], name), x)
        ordered = torch.zeros_like(weight)
        ordered[:, x.index] = weight
        result = self.layer("linear", "fc", (x.source,), name, weight=ordered, bias=bias)
        return replace(result, index=result.index.flatten())

    def _linear_everywhere(self, x: Value, weight: torch.Tensor, bias: torch.Tensor, name: str) -> Value:
        """As a pointwise convolution."""
        channels = x.index.movedim(-1, 0)
        result = self.conv(
            replace(x, index=in_three(channels)), weight[:, :, None, None], bias, (1, 1), NO_PAD, 1, name
        )
        return replace(result, index=result.index.view(len(weight), *channels.shape[1:]).movedim(0, -1))

    def normalize(self, x: Value, gain: torch.Tensor, shift: torch.Tensor, name: str) -> Value:
        """x * gain + shift, each [c] or [1], along the first axis: folded into the layer before it, else a `scale`."""
        if len(gain) not in (1, x.shape[0]):
            raise TargetError(f"{name} should fit its input", got=f"{x.shape[0]} channels, {len(gain)} factors")
        gain, shift = gain.expand(x.shape[0]), shift.expand(x.shape[0])
        places = self._places(x)
        if places is not None and x.users == 1 and self._folds(x.source):
            self._fold(x.source, gain[places], shift[places])
            return x
        if self._scales_curve(x, gain, shift):
            return x
        if places is None or not self.is_rearranged(x):
            x = self.output(self.placed(x, in_three(x.index), name), x)
            places = torch.arange(x.shape[0])
        result = self.layer("scale", "scale", (x.source,), name, weight=gain[places], bias=shift[places])
        return replace(result, index=x.index)

    def _scales_curve(self, x: Value, gain: torch.Tensor, shift: torch.Tensor) -> bool:
        """Whether a function before it takes one gain and one shift in, which it then has."""
        layer = self.fusible(x)
        uniform = bool((gain == gain[0]).all() and (shift == shift[0]).all())
        if layer is None or layer.curve is None or layer.relu or layer.is_limited or x.has_zeros or not uniform:
            return False
        self.changed(layer, curve=layer.curve.scaled(float(gain[0]), float(shift[0])))
        return True

    def affine(self, x: Value, gain: Constant, shift: Constant, name: str) -> Value:
        """x * gain + shift, which are repeated to the shape [n, *x.shape] and differ along one axis of x at most."""
        try:
            factors = [torch.as_tensor(each).float().expand(1, *x.shape)[0] for each in (gain, shift)]
        except RuntimeError as error:
            expected = f"{name}: constants should fit the tensor, {list(x.shape)}"
            raise TargetError(expected, got=str(error).partition("\n")[0]) from error
        axes = {axis for each in factors for axis in range(each.ndim) if bool((each != each.narrow(axis, 0, 1)).any())}
        if len(axes) > 1:
            expected = f"{name}: constants should differ along one axis besides that of the batch"
            raise TargetError(expected, got=f"values for each of {list(x.shape)}")
        axis = min(axes, default=0)
        first, second = (each.movedim(axis, 0).reshape(x.shape[axis], -1)[:, 0] for each in factors)
        result = self.normalize(replace(x, index=x.index.movedim(axis, 0)), first, second, name)
        return replace(result, index=result.index.movedim(0, axis))

    def _places(self, x: Value) -> torch.Tensor | None:
        """For each channel of the source, where along the first axis of x its values are; None without one answer."""
        channels, height, width = self.shapes[x.source]
        if x.has_zeros:
            return None
        along = torch.arange(x.shape[0]).view(-1, *([1] * (len(x.shape) - 1))).expand(x.shape)
        places = torch.full((channels * height * width,), ZERO)
        places[x.index.flatten()] = along.flatten()
        by_channel = places.view(channels, -1)
        first, last = torch.where(by_channel == ZERO, x.shape[0], by_channel).amin(1), by_channel.amax(1)
        return last if bool((first == last).all()) else None

    def _folds(self, name: str) -> bool:
        """Whether a layer takes gains and a shift: one with weights, or channels that come from several of them."""
        layer = self.made(name)
        if layer is None or layer.relu or layer.is_limited:
            return False
        joins = len(layer.inputs) > 1 and layer.axes == (_CHANNELS,) and name in self.sole_readers
        return layer.operation.is_weighted or (joins and all(self._folds(each) for each in layer.inputs))

    def _fold(self, name: str, gain: torch.Tensor, shift: torch.Tensor) -> None:
        layer = self.made(name)
        assert layer is not None
        if layer.operation.is_weighted:
            weight = layer.weight * gain.view(-1, *([1] * (layer.weight.ndim - 1)))
            self.changed(layer, weight=weight, bias=layer.bias * gain + shift)
            return
        sizes = [self.shapes[each][0] for each in layer.inputs]
        for each, *parameters in zip(layer.inputs, torch.split(gain, sizes), torch.split(shift, sizes), strict=True):
            self._fold(each, *parameters)


def _sum(first: Sides, second: Sides, name: str) -> Sides:
    if min(second) < 0 or max(second) > _MAX_PAD:
        raise TargetError(f"{name} should pad by 0..{_MAX_PAD}", got=f"{second}")
    top, bottom, left, right = (a + b for a, b in zip(first, second, strict=True))
    return top, bottom, left, right
