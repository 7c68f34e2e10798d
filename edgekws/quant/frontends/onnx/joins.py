"""Concatenations."""

from __future__ import annotations

from edgekws.quant.frontends.assemble import Value
from edgekws.quant.frontends.onnx.call import Call, Readers


def _concat(call: Call) -> Value:
    values, rank = [call.value(number) for number in range(len(call.inputs))], len(call.shape)
    axis = int(call.attributes.get("axis", 1))
    if not -rank <= axis < rank or axis % rank == 0:
        raise call.refuse("should join along another axis than the batch", f"axis {axis} of {rank}")
    return call.assembler.concat(values, axis % rank - 1, call.name)


READERS: Readers = {"Concat": _concat}
