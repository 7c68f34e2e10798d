"""Operations with weights: convolutions, matrix products and normalizations."""

from __future__ import annotations

import torch

from edgekws.quant.frontends.assemble import Value, batch_norm
from edgekws.quant.frontends.onnx.call import Call, Readers
from edgekws.quant.frontends.onnx.windows import numbers, padding


def _conv(call: Call) -> Value:
    weight, rank = call.weight(1), len(call.shape)
    if weight.ndim != rank or rank not in (3, 4):
        raise call.refuse("should be a convolution of one or two axes", f"weights of {list(weight.shape)}")
    stride, dilation = numbers(call, "strides", 1), numbers(call, "dilations", 1)
    taps = (*weight.shape[2:], 1)[:2]
    pad = padding(call, (taps[0], taps[1]), stride, dilation)
    groups = int(call.attributes.get("group", 1))
    return call.assembler.conv(call.x, weight, call.floats(2), stride, pad, groups, call.name, dilation)


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
