"""Pools and means."""

from __future__ import annotations

from edgekws.quant.frontends.assemble import Value
from edgekws.quant.frontends.onnx.call import UNPADDED, Call, Readers


def _max_pool(call: Call) -> Value:
    defaults = {"pads": [0, 0, 0, 0], "dilations": [1, 1], "ceil_mode": 0, "storage_order": 0}
    given = {key: call.attributes.get(key, default) for key, default in defaults.items()}
    unsupported = {key: value for key, value in given.items() if value != defaults[key]}
    if unsupported or call.attributes.get("auto_pad", b"NOTSET") not in UNPADDED:
        got = str(unsupported or call.attributes["auto_pad"].decode())
        raise call.refuse("should pool without padding, dilation and ceil_mode", got)
    window = call.pair("kernel_shape", (0, 0))
    return call.assembler.max_pool(call.x, window, call.pair("strides", (1, 1)), call.name)


def _mean(call: Call) -> Value:
    axes = call.numbers("axes", 1, None)
    if axes is None or {axis % 4 for axis in axes} != {2, 3}:
        raise call.refuse("should be a mean over axes (2, 3)", f"axes {axes}")
    return call.assembler.mean(call.x, call.name, keep=bool(call.attributes.get("keepdims", 1)))


def _average_pool(call: Call) -> Value:
    kernel, pads = call.pair("kernel_shape", (0, 0)), call.attributes.get("pads", [0])
    if kernel != call.shape[2:] or any(pads) or call.attributes.get("auto_pad", b"NOTSET") not in UNPADDED:
        raise call.refuse(f"should average all positions, {list(call.shape[2:])}", f"a window of {list(kernel)}")
    return call.assembler.mean(call.x, call.name, keep=True)


READERS: Readers = {
    "MaxPool": _max_pool,
    "AveragePool": _average_pool,
    "GlobalAveragePool": lambda call: call.assembler.mean(call.x, call.name, keep=True),
    "ReduceMean": _mean,
}
