"""Operations on single values: activations, sums, and what does nothing in eval mode."""

from __future__ import annotations

import torch

from edgekws.quant.frontends.assemble import Value
from edgekws.quant.frontends.onnx.call import Call, Readers, unchanged


def _add(call: Call) -> Value:
    constant = [number for number in (0, 1) if call.inputs[number] in call.state.constants]
    if not constant:
        return call.assembler.add(call.value(0), call.value(1), call.name)
    x, bias = 1 - constant[0], call.weight(constant[0])
    _, channels, *positions = call.state.shape(call.inputs[x])
    try:
        shift = bias.expand(1, channels, *([1] * len(positions))).flatten()
    except RuntimeError as error:
        expected = "a constant that is added should be one number or one for each channel"
        raise call.refuse(expected, f"shape {list(bias.shape)}") from error
    return call.assembler.normalize(call.value(x), torch.ones(channels), shift, call.name)


def _dropout(call: Call) -> Value:
    training = call.array(2)
    if training is not None and training.any():
        raise call.refuse("should be exported in eval mode", "training_mode")
    return call.x


READERS: Readers = {
    "Relu": lambda call: call.assembler.relu(call.x, call.name),
    "Add": _add,
    "Dropout": _dropout,
    "Identity": unchanged,
}
