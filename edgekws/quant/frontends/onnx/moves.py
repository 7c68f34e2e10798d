"""Operations that move values and leave them as they are: padding, flattening, transposing, reshaping, slicing.

onnx's reference evaluator runs them, on the positions of the values.
"""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from edgekws.quant.frontends.assemble import Value
from edgekws.quant.frontends.assemble.value import ZERO
from edgekws.quant.frontends.onnx.call import Call, Readers

_MOVES = (
    "DepthToSpace", "Flatten", "Gather", "Reshape", "Slice", "SpaceToDepth", "Split", "Squeeze", "Transpose",
    "Unsqueeze",
)  # fmt: skip


_MAX_PAD = 1 << 12


def _move(call: Call) -> list[Value]:
    constants = {name: call.state.constants[name] for name in call.inputs[1:] if name in call.state.constants}

    def run(index: torch.Tensor) -> list[torch.Tensor]:
        results = call.state.evaluated(call.node, {call.inputs[0]: index.numpy(), **constants})
        return [torch.from_numpy(np.array(each, np.int64)) for each in results]

    return call.assembler.moved(call.x, run, call.name)


def _pad(call: Call) -> list[Value]:
    rank = len(call.shape)
    mode, sides = call.attributes.get("mode", b"constant").decode(), call.numbers("pads", 1, ())
    axes = call.numbers("axes", 3, tuple(range(rank)))
    value = call.array(2) if call.given(2) else np.array(call.attributes.get("value", 0))
    if mode != "constant" or value is None or value.any() or not sides or not axes or len(sides) != 2 * len(axes):
        raise call.refuse("should pad with zeros", f"mode {mode}, value {value}, pads {sides}")
    before = dict(zip((axis % rank for axis in axes), sides[: len(axes)], strict=True))
    after = dict(zip((axis % rank for axis in axes), sides[len(axes) :], strict=True))
    by_axis = [side for axis in reversed(range(rank)) for side in (before.get(axis, 0), after.get(axis, 0))]
    if any(by_axis[-2:]):
        raise call.refuse("should pad other axes than the batch", f"pads {sides}")
    if max(by_axis) > _MAX_PAD:
        raise call.refuse(f"should pad by at most {_MAX_PAD}", f"pads {sides}")
    return call.assembler.moved(call.x, lambda index: functional.pad(index, by_axis, value=ZERO), call.name)


READERS: Readers = {"Pad": _pad, **dict.fromkeys(_MOVES, _move)}
