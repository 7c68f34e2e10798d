"""The attributes that convolutions and pools share, for one or two axes of positions."""

from __future__ import annotations

import math

from edgekws.quant.float_layers import Sides
from edgekws.quant.frontends.assemble import NO_PAD
from edgekws.quant.frontends.onnx.call import Call

Pair = tuple[int, int]


def numbers(call: Call, attribute: str, default: int | None) -> Pair:
    """A number for rows and one for columns; for one axis of positions, columns have 1."""
    count = len(call.shape) - 2
    given = call.attributes.get(attribute, None if default is None else [default] * count)
    if given is None or len(given) != count or count not in (1, 2):
        raise call.refuse(f"{attribute} should be a number for each of {count} axes", str(given))
    return int(given[0]), int((*given, 1)[1])


def padding(call: Call, window: Pair, stride: Pair, dilation: Pair = (1, 1)) -> Sides:
    """window: rows and columns of taps."""
    kind, count = call.attributes.get("auto_pad", b"NOTSET").decode(), len(call.shape) - 2
    if kind == "NOTSET":
        pads = call.attributes.get("pads", [0] * 2 * count)
        if len(pads) != 2 * count:
            raise call.refuse(f"pads should be {2 * count} numbers", str(list(pads)))
        before, after = [*pads[:count], 0][:2], [*pads[count:], 0][:2]
        return before[0], after[0], before[1], after[1]
    if kind == "VALID":
        return NO_PAD
    sizes, extents = (
        (*call.shape[2:], 1)[:2],
        [(taps - 1) * step + 1 for taps, step in zip(window, dilation, strict=True)],
    )
    rows, columns = (_same(*each) for each in zip(sizes, extents, stride, strict=True))
    smaller, larger = (rows // 2, columns // 2), (rows - rows // 2, columns - columns // 2)
    first, last = (smaller, larger) if kind == "SAME_UPPER" else (larger, smaller)
    return first[0], last[0], first[1], last[1]


def _same(size: int, extent: int, stride: int) -> int:
    """Number of zeros with which the output has ceil(size / stride) positions."""
    return max((math.ceil(size / stride) - 1) * stride + extent - size, 0)
