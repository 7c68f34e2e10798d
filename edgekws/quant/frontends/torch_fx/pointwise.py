"""Operations on single values: activations, sums, and what does nothing in eval mode."""

from __future__ import annotations

import operator

import torch
from torch import nn
from torch.nn import functional

from edgekws.errors import TargetError
from edgekws.quant.frontends.assemble import Value
from edgekws.quant.frontends.torch_fx.call import Call, Functions, Modules, unchanged


def _relu(call: Call) -> Value:
    return call.assembler.relu(call.x, call.name)


def _add(call: Call) -> Value:
    node, sources = call.node, call.sources
    if len(node.all_input_nodes) == 1 and node.args[0] is node.args[1]:
        sources = sources * 2
    if len(sources) != 2 or node.kwargs.get("alpha", 1) != 1:
        raise TargetError(f"{node.name} should add two tensors of the network", got=str(node.args))
    return call.assembler.add(sources[0], sources[1], node.name)


MODULES: Modules = {
    nn.ReLU: _relu,
    nn.Dropout: unchanged,
    nn.Dropout2d: unchanged,
    nn.Identity: unchanged,
}

FUNCTIONS: Functions = {
    functional.relu: _relu,
    functional.relu_: _relu,
    torch.relu: _relu,
    torch.relu_: _relu,
    "relu": _relu,
    "relu_": _relu,
    operator.add: _add,
    operator.iadd: _add,
    torch.add: _add,
    "add": _add,
    "add_": _add,
    functional.dropout: unchanged,
    functional.dropout2d: unchanged,
}
