"""Pools and means."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional

from edgekws.errors import TargetError
from edgekws.quant.float_layers import Sides
from edgekws.quant.frontends.assemble import Value
from edgekws.quant.frontends.torch_fx.call import Call, Functions, Modules, along


def _max_pool_module(call: Call) -> Value:
    module = call.module
    if module.return_indices:
        raise TargetError(f"{call.name} should give no indices", got="return_indices=True")
    given = (module.kernel_size, module.stride, module.padding, module.dilation, module.ceil_mode)
    return _max_pool(call, given)


def _max_pool_function(call: Call) -> Value:
    defaults = {"stride": None, "padding": 0, "dilation": 1, "ceil_mode": False, "return_indices": False}
    *given, _ = call.arguments("kernel_size", *defaults, **defaults)
    return _max_pool(call, tuple(given))


def _max_pool(call: Call, given: tuple[Any, ...]) -> Value:
    """given: (kernel_size, stride, padding, dilation, ceil_mode) as torch takes them."""
    kernel, stride, padding, dilation, ceil_mode = given
    rank = len(call.x.shape)
    if along(dilation, rank) != (1, 1):
        raise TargetError(f"{call.name} should pool without dilation", got=f"dilation {dilation}")
    window, sides = along(kernel, rank), _sides(padding, rank)
    steps = along(stride, rank) if stride else window
    return call.assembler.max_pool(call.x, window, steps, call.name, sides, bool(ceil_mode))


def _average_pool_module(call: Call) -> Value:
    module = call.module
    names = ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad")
    return _average_pool(
        call, tuple(getattr(module, name) for name in names), getattr(module, "divisor_override", None)
    )


def _average_pool_function(call: Call) -> Value:
    defaults = {"stride": None, "padding": 0, "ceil_mode": False, "count_include_pad": True, "divisor_override": None}
    *given, divisor = call.arguments("kernel_size", *defaults, **defaults)
    return _average_pool(call, tuple(given), divisor)


def _average_pool(call: Call, given: tuple[Any, ...], divisor: object) -> Value:
    """given: (kernel_size, stride, padding, ceil_mode, count_include_pad) as torch takes them."""
    kernel, stride, padding, ceil_mode, counts = given
    if divisor is not None:
        raise TargetError(f"{call.name} should divide by the size of its window", got=f"divisor_override={divisor}")
    rank = len(call.x.shape)
    window, sides = along(kernel, rank), _sides(padding, rank)
    steps = along(stride, rank) if stride else window
    return call.assembler.average_pool(call.x, window, steps, call.name, sides, bool(ceil_mode), bool(counts))


def _sides(padding: object, rank: int) -> Sides:
    """torch's padding of both ends; one axis of positions (rank 2) has no columns."""
    rows, columns = along(padding, rank)
    columns = 0 if rank == 2 else columns
    return rows, rows, columns, columns


def _global_pool(call: Call, size: Any) -> Value:  # noqa: ANN401
    """To one position, or to a divisor of the positions, which are means of windows."""
    positions, wanted = call.x.shape[1:], _sizes(size, len(call.x.shape) - 1)
    sizes = [count if each is None else int(each) for each, count in zip(wanted, positions, strict=True)]
    if any(each < 1 or count % each for each, count in zip(sizes, positions, strict=True)):
        expected = f"{call.name} should average all positions into one, or equal windows of the {list(positions)}"
        raise TargetError(expected, got=f"an average to {size}")
    if set(sizes) == {1}:
        return call.assembler.mean(call.x, tuple(range(1, len(call.x.shape))), call.name, keep=True)
    window = [count // each for each, count in zip(sizes, positions, strict=True)]
    window += [1] * (2 - len(window))
    return call.assembler.average_pool(call.x, (window[0], window[1]), (window[0], window[1]), call.name)


def _sizes(size: Any, count: int) -> list[Any]:  # noqa: ANN401
    given = list(size) if isinstance(size, list | tuple) else [size] * count
    return given if len(given) == count else given * count


def _mean(call: Call) -> Value:
    axes, keep = call.arguments("dim", "keepdim", dim=None, keepdim=False)
    rank = len(call.x.shape) + 1
    found = sorted(
        {axis % rank for axis in (axes if isinstance(axes, list | tuple) else [axes])} if axes is not None else []
    )
    if not found or found[0] == 0:
        raise TargetError(f"{call.name} should be a mean over other axes than the batch", got=f"axes {axes}")
    return call.assembler.mean(call.x, tuple(axis - 1 for axis in found), call.name, keep=bool(keep))


MODULES: Modules = {
    nn.MaxPool1d: _max_pool_module,
    nn.MaxPool2d: _max_pool_module,
    nn.AvgPool1d: _average_pool_module,
    nn.AvgPool2d: _average_pool_module,
    nn.AdaptiveAvgPool1d: lambda call: _global_pool(call, call.module.output_size),
    nn.AdaptiveAvgPool2d: lambda call: _global_pool(call, call.module.output_size),
}

FUNCTIONS: Functions = {
    functional.max_pool1d: _max_pool_function,
    torch.max_pool1d: _max_pool_function,
    functional.max_pool2d: _max_pool_function,
    torch.max_pool2d: _max_pool_function,
    functional.avg_pool1d: _average_pool_function,
    functional.avg_pool2d: _average_pool_function,
    functional.adaptive_avg_pool1d: lambda call: _global_pool(call, call.arguments("output_size")[0]),
    functional.adaptive_avg_pool2d: lambda call: _global_pool(call, call.arguments("output_size")[0]),
    "mean": _mean,
    torch.mean: _mean,
}
