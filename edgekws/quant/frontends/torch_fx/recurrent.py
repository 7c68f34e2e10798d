"""torch.nn.GRU: one or more layers, one direction."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn

from edgekws.errors import TargetError
from edgekws.quant.frontends.assemble import float32
from edgekws.quant.frontends.assemble.recurrent import GruWeights
from edgekws.quant.frontends.torch_fx.call import Call, Functions, Modules, Result

_CLIPS_AND_ROWS = 2
"""Arguments of a call: the sequence only, or a first state too."""


def _gru(call: Call) -> Result:
    module, batch = call.module, 0 if call.module.batch_first else 1
    if module.bidirectional:
        hint = "use one direction: a stream has no end to begin from"
        raise TargetError(f"{call.name} should run in one direction", got="bidirectional=True", hint=hint)
    if len(call.node.args) >= _CLIPS_AND_ROWS or call.node.kwargs.get("hx") is not None:
        raise TargetError(f"{call.name} should begin with a state of zeros", got="a first state")
    if call.x.batch != batch or len(call.x.shape) != 2:
        order = "[n, rows, channels]" if batch == 0 else "[rows, n, channels]"
        raise TargetError(f"{call.name} should read {order}", got=f"{list(call.x.shape)} without the batch")
    x, last = call.x, []
    for layer in range(module.num_layers):
        x = call.assembler.gru(x, _weights(module, layer), call.name)
        last.append(replace(x, index=x.index[-1].clone(), batch=0))
        x = replace(x, users=1 + (layer < module.num_layers - 1))
    return [x, last]


def _weights(module: nn.GRU, layer: int) -> GruWeights:
    kinds = ("weight_ih", "bias_ih", "weight_hh", "bias_hh")
    empty = torch.zeros(3 * module.hidden_size)
    given = [getattr(module, f"{kind}_l{layer}", empty) for kind in kinds]
    return GruWeights(*map(float32, given))


MODULES: Modules = {nn.GRU: _gru}

FUNCTIONS: Functions = {}
