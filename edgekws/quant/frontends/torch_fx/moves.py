"""Operations that move values and leave them as they are: padding, flattening, transposing, reshaping, slicing.

torch itself runs them, on the positions of the values.
"""

from __future__ import annotations

import operator
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from edgekws.errors import TargetError
from edgekws.quant.frontends.assemble.value import ZERO
from edgekws.quant.frontends.torch_fx.call import Call, Functions, Modules, Result, unchanged

_NAMES = (
    "adjoint", "channel_shuffle", "chunk", "detach", "expand", "expand_as", "flatten", "flip", "movedim", "moveaxis",
    "narrow", "permute", "pixel_shuffle", "pixel_unshuffle", torch.reshape.__name__, "reshape_as", "roll", "select",
    slice.__name__, "split", "split_with_sizes", "squeeze", "swapaxes", "swapdims", "t", "tensor_split", "tile",
    "transpose", "unbind", "unflatten", "unsafe_chunk", "unsafe_split", "unsqueeze", "view", "_unsafe_view",
)  # fmt: skip
"""Of functions and methods."""
_OF_FUNCTIONS = (torch, functional)


def _move(call: Call) -> Result:
    """The node itself, for positions instead of values."""
    node = call.node
    args, kwargs = call.known((node.args[1:], node.kwargs))
    target: Any = getattr(torch.Tensor, node.target) if isinstance(node.target, str) else node.target
    return _one_or_list(call, lambda index: target(index, *args, **kwargs))


def _move_module(call: Call) -> Result:
    return _one_or_list(call, call.module)


def _one_or_list(call: Call, move: Any) -> Result:  # noqa: ANN401
    several = False

    def run(index: torch.Tensor) -> Any:  # noqa: ANN401
        nonlocal several
        result = move(index)
        several = not isinstance(result, torch.Tensor)
        return result

    results = call.moved(run)
    assert isinstance(results, list)
    return results if several else results[0]


def _pad_module(call: Call) -> Result:
    return _padded(call, call.module.padding, "constant", call.module.value)


def _pad_function(call: Call) -> Result:
    sides, mode, value = call.arguments("pad", "mode", "value", mode="constant", value=None)
    return _padded(call, sides, mode, value)


def _padded(call: Call, sides: Any, mode: str, value: float | None) -> Result:  # noqa: ANN401
    if mode != "constant" or value:
        raise TargetError(f"{call.name} should pad with zeros", got=f"{sides}, {mode}, {value}")
    return _one_or_list(call, lambda index: functional.pad(index, tuple(sides), value=ZERO))


MODULES: Modules = {
    nn.Flatten: _move_module,
    nn.Unflatten: _move_module,
    nn.ChannelShuffle: _move_module,
    nn.PixelShuffle: _move_module,
    nn.PixelUnshuffle: _move_module,
    nn.ConstantPad1d: _pad_module,
    nn.ConstantPad2d: _pad_module,
    nn.ZeroPad1d: _pad_module,
}

FUNCTIONS: Functions = {
    **{getattr(owner, name): _move for owner in _OF_FUNCTIONS for name in _NAMES if hasattr(owner, name)},
    **dict.fromkeys(_NAMES, _move),
    operator.getitem: _move,
    functional.pad: _pad_function,
    "constant_pad_nd": _pad_function,
    "contiguous": unchanged,
    "clone": unchanged,
    "float": unchanged,
}
