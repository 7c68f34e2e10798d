"""Concatenations."""

from __future__ import annotations

from dataclasses import replace

from edgekws.quant.frontends.assemble import Value
from edgekws.quant.frontends.onnx.call import Call, Readers


def _concat(call: Call) -> Value:
    values, rank = [call.value(number) for number in range(len(call.inputs))], len(call.shape)
    axis, batch = int(call.attributes.get("axis", 1)), values[0].batch
    if not -rank <= axis < rank or axis % rank == batch or any(each.batch != batch for each in values):
        raise call.refuse("should join along another axis than the batch", f"axis {axis} of {rank}")
    joined = call.assembler.concat(values, axis % rank - (axis % rank > batch), call.name)
    return replace(joined, batch=batch)


READERS: Readers = {"Concat": _concat}
