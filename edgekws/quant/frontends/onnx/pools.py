"""Pools and means."""

from __future__ import annotations

from edgekws.quant.frontends.assemble import Value
from edgekws.quant.frontends.onnx.call import Call, Readers
from edgekws.quant.frontends.onnx.windows import numbers, padding


def _max_pool(call: Call) -> Value:
    if set(call.attributes.get("dilations", [1])) != {1} or call.attributes.get("storage_order", 0):
        got = f"dilations {call.attributes.get('dilations')}, storage_order {call.attributes.get('storage_order', 0)}"
        raise call.refuse("should pool without dilation and by rows", got)
    window, stride = numbers(call, "kernel_shape", None), numbers(call, "strides", 1)
    sides, ceil = padding(call, window, stride), bool(call.attributes.get("ceil_mode", 0))
    return call.assembler.max_pool(call.x, window, stride, call.name, sides, ceil)


def _average_pool(call: Call) -> Value:
    if set(call.attributes.get("dilations", [1])) != {1}:
        raise call.refuse("should pool without dilation", f"dilations {call.attributes['dilations']}")
    window, stride = numbers(call, "kernel_shape", None), numbers(call, "strides", 1)
    sides, ceil = padding(call, window, stride), bool(call.attributes.get("ceil_mode", 0))
    counts = bool(call.attributes.get("count_include_pad", 0))
    return call.assembler.average_pool(call.x, window, stride, call.name, sides, ceil, counts)


def _global_max_pool(call: Call) -> Value:
    positions = (*call.shape[2:], 1)[:2]
    return call.assembler.max_pool(call.x, (positions[0], positions[1]), (1, 1), call.name)


def _global_average_pool(call: Call) -> Value:
    return call.assembler.mean(call.x, tuple(range(1, len(call.shape) - 1)), call.name, keep=True)


def _mean(call: Call) -> Value:
    axes, rank = call.numbers("axes", 1, None), len(call.shape)
    found = sorted({axis % rank for axis in axes or ()})
    if not found or found[0] == 0:
        raise call.refuse("should be a mean over other axes than the batch", f"axes {axes}")
    keep = bool(call.attributes.get("keepdims", 1))
    return call.assembler.mean(call.x, tuple(axis - 1 for axis in found), call.name, keep=keep)


READERS: Readers = {
    "MaxPool": _max_pool,
    "AveragePool": _average_pool,
    "GlobalAveragePool": _global_average_pool,
    "GlobalMaxPool": _global_max_pool,
    "ReduceMean": _mean,
}
