"""Operations that move values and leave them as they are: padding, flattening, reshaping."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from edgekws.quant.frontends.assemble import Value
from edgekws.quant.frontends.onnx.call import Call, Readers


def _pad(call: Call) -> Value:
    mode, sides = call.attributes.get("mode", b"constant").decode(), call.numbers("pads", 1, ())
    axes = call.numbers("axes", 3, (0, 1, 2, 3))
    value = call.array(2) if call.given(2) else np.array(call.attributes.get("value", 0))
    if mode != "constant" or value is None or value.any() or not sides or not axes or len(sides) != 2 * len(axes):
        raise call.refuse("should pad with zeros", f"mode {mode}, value {value}, pads {sides}")
    before = dict(zip((axis % 4 for axis in axes), sides[: len(axes)], strict=True))
    after = dict(zip((axis % 4 for axis in axes), sides[len(axes) :], strict=True))
    if any(each.get(axis, 0) for each in (before, after) for axis in (0, 1)):
        raise call.refuse("should pad rows and columns only", f"pads {sides}")
    return call.x.padded((before.get(2, 0), after.get(2, 0), before.get(3, 0), after.get(3, 0)), call.name)


def _flatten(call: Call) -> Value:
    """Flatten, Reshape or Squeeze: accepted if the result's shape is [n, everything else]."""
    constants = {name: call.state.constants[name] for name in call.inputs[1:] if name in call.state.constants}
    before, x = call.shape, call.x
    given = {call.inputs[0]: np.zeros(before, np.float32), **constants}
    after = call.state.evaluated(call.node, given)[0].shape
    if after != (1, math.prod(before)):
        raise call.refuse("should flatten all axes but the first", f"{list(before)} to {list(after)}")
    return replace(x, flat=True)


READERS: Readers = {
    "Pad": _pad,
    "Flatten": _flatten,
    "Reshape": _flatten,
    "Squeeze": _flatten,
}
