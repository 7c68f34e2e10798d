"""Operations with weights: convolutions, matrix products and normalizations."""

from __future__ import annotations

import math

import torch

from edgekws.quant.frontends.assemble import NO_PAD, Sides, Value, batch_norm
from edgekws.quant.frontends.onnx.call import Call, Readers


def _conv(call: Call) -> Value:
    weight, dilations = call.weight(1), tuple(call.attributes.get("dilations", (1, 1)))
    if weight.ndim != 4 or dilations != (1, 1):
        raise call.refuse("should be a 2-D convolution without dilation", f"{list(weight.shape)}, {dilations}")
    stride, groups = call.pair("strides", (1, 1)), int(call.attributes.get("group", 1))
    pad = _conv_padding(call, (weight.shape[2], weight.shape[3]), stride)
    return call.assembler.conv(call.x, weight, call.floats(2), stride, pad, groups, call.name)


def _conv_padding(call: Call, kernel: tuple[int, int], stride: tuple[int, int]) -> Sides:
    kind = call.attributes.get("auto_pad", b"NOTSET").decode()
    if kind == "NOTSET":
        top, left, bottom, right = call.attributes.get("pads", (0, 0, 0, 0))
        return top, bottom, left, right
    if kind == "VALID":
        return NO_PAD
    sizes = call.shape[2:]
    rows, columns = (_same(*each) for each in zip(sizes, kernel, stride, strict=True))
    smaller, larger = (rows // 2, columns // 2), (rows - rows // 2, columns - columns // 2)
    first, last = (smaller, larger) if kind == "SAME_UPPER" else (larger, smaller)
    return first[0], last[0], first[1], last[1]


def _same(size: int, kernel: int, stride: int) -> int:
    """Number of zeros with which the output has ceil(size / stride) positions."""
    return max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)


def _batch_norm(call: Call) -> Value:
    if call.attributes.get("training_mode", 0):
        raise call.refuse("should be exported in eval mode", "training_mode 1")
    gain, shift, mean, variance = (call.weight(number) for number in (1, 2, 3, 4))
    gain, shift = batch_norm(gain, shift, mean, variance, call.attributes.get("epsilon", 1e-5))
    return call.assembler.normalize(call.x, gain, shift, call.name)


def _gemm(call: Call) -> Value:
    unsupported = {key: call.attributes[key] for key in ("alpha", "beta") if call.attributes.get(key, 1.0) != 1.0}
    if unsupported or call.attributes.get("transA", 0):
        raise call.refuse("should multiply without factors and transA", str(unsupported or "transA"))
    weight, bias = call.weight(1), call.floats(2)
    weight = weight if call.attributes.get("transB", 0) else weight.T.contiguous()
    return call.assembler.linear(call.x, weight, None if bias is None else _spread(call, bias, len(weight)), call.name)


def _spread(call: Call, bias: torch.Tensor, channels: int) -> torch.Tensor:
    if bias.numel() not in (1, channels):
        raise call.refuse(f"the bias should be {channels} numbers", f"shape {list(bias.shape)}")
    return bias.flatten().expand(channels).clone()


def _matmul(call: Call) -> Value:
    weight = call.weight(1)
    if weight.ndim != 2:
        raise call.refuse("should multiply by a matrix", f"shape {list(weight.shape)}")
    return call.assembler.linear(call.x, weight.T.contiguous(), None, call.name)


READERS: Readers = {
    "Conv": _conv,
    "BatchNormalization": _batch_norm,
    "Gemm": _gemm,
    "MatMul": _matmul,
}
