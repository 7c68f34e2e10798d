"""Gated recurrent units as ONNX has them: rows before the batch, gates in the order update, reset, new."""

from __future__ import annotations

from dataclasses import replace

import torch

from edgekws.quant.frontends.assemble import Value
from edgekws.quant.frontends.assemble.recurrent import GruWeights
from edgekws.quant.frontends.onnx.call import Call, Readers

_ONLY = {"direction": b"forward", "layout": 0, "linear_before_reset": 1, "clip": 0.0}
"""Attributes that have one value; linear_before_reset is 0 by default, which torch never writes."""
_DEFAULTS = {**_ONLY, "linear_before_reset": 0}
_FIRST_STATE = 5


def _gru(call: Call) -> list[Value]:
    given = {key: call.attributes.get(key, default) for key, default in _DEFAULTS.items()}
    wrong = {key: value for key, value in given.items() if value != _ONLY[key]}
    if wrong or "activations" in call.attributes:
        raise call.refuse(f"should be a unit with {_ONLY} and its usual activations", str(wrong or "activations"))
    first = call.array(_FIRST_STATE)
    if call.given(4) or (first is not None and first.any()):
        raise call.refuse("should begin with a state of zeros and read whole clips", "sequence lengths or a state")
    if call.x.batch != 1 or len(call.x.shape) != 2:
        raise call.refuse("should read [rows, batch, channels]", f"{list(call.shape)}")
    weight, state = (_in_order(call.weight(number)[0]) for number in (1, 2))
    bias = call.floats(3)
    parts = torch.zeros(2, len(weight)) if bias is None else torch.stack([_in_order(b) for b in bias[0].chunk(2)])
    states = call.assembler.gru(call.x, GruWeights(weight, parts[0], state, parts[1]), call.name)
    last = replace(states, index=states.index[-1:].clone(), batch=1)
    return [replace(states, index=states.index.unsqueeze(1), batch=2), last]


def _in_order(values: torch.Tensor) -> torch.Tensor:
    """Gates as torch has them."""
    update, reset, new = values.chunk(3)
    return torch.cat([reset, update, new])


READERS: Readers = {"GRU": _gru}
