"""Reads the nodes of a traced network in their order."""

from __future__ import annotations

import operator
from dataclasses import replace

import torch
from torch import fx

from edgekws.errors import TargetError
from edgekws.graph.ir import INPUT
from edgekws.quant.float_layers import Layer
from edgekws.quant.frontends.assemble import Assembler, Value, float32
from edgekws.quant.frontends.torch_fx import activations, moves, pointwise, pools, weighted
from edgekws.quant.frontends.torch_fx.call import Call, Functions, Modules

SUPPORTED = (
    "Conv2d, Linear, BatchNorm2d, BatchNorm1d after Linear, ReLU, activations of one value (Sigmoid, Tanh, Hardswish, "
    "SiLU, GELU, PReLU and their like), products, MaxPool2d, AdaptiveAvgPool2d(1), mean over (2, 3), zero padding, "
    "additions, Flatten, Dropout, Identity"
)
_KINDS = (weighted, pools, pointwise, activations, moves)
_MODULES: Modules = {kind: read for each in _KINDS for kind, read in each.MODULES.items()}
_FUNCTIONS: Functions = {target: read for each in _KINDS for target, read in each.FUNCTIONS.items()}
_SHAPE_NAMES = ("shape", "ndim")


class Reader:
    """assembler: where the layers go; the others as call.State explains them."""

    def __init__(self, traced: fx.GraphModule) -> None:
        self.modules, self.assembler = dict(traced.named_modules()), Assembler()
        self.owner = traced
        self.values: dict[fx.Node, Value] = {}
        self.tensors: dict[fx.Node, torch.Tensor] = {}
        self.sizes: set[fx.Node] = set()
        """nodes that hold shapes, not tensors; only reshape uses them, and checks them itself"""
        self.output: fx.Node | None = None

    def read(self, node: fx.Node) -> None:
        if node.op == "placeholder":
            self._read_input(node)
        elif node.op == "get_attr":
            self.tensors[node] = float32(operator.attrgetter(str(node.target))(self.owner))
        elif node.op == "output":
            self.output = node
        elif self._is_size(node):
            self.sizes.add(node)
        else:
            value = self._operation(node)
            users = sum(not _reads_size(user) for user in node.users)
            self.values[node] = replace(value, users=max(value.users, users))

    def finished(self) -> list[Layer]:
        assert self.output is not None
        returned = self.output.args[0]
        value = self.values.get(returned) if isinstance(returned, fx.Node) else None
        return self.assembler.finished(value, str(returned))

    def _read_input(self, node: fx.Node) -> None:
        if self.values:
            raise TargetError("the network should have one input", got=f"another one, {node.name}")
        self.values[node] = Value(INPUT, users=len(node.users))

    def _is_size(self, node: fx.Node) -> bool:
        sources = node.all_input_nodes
        return _reads_size(node) or (bool(sources) and all(source in self.sizes for source in sources))

    def _operation(self, node: fx.Node) -> Value:
        sources = [self.values[source] for source in node.all_input_nodes if source in self.values]
        if node.op == "call_module":
            call = Call(self, node, sources, self.modules[str(node.target)])
            for kind, read_module in _MODULES.items():
                if isinstance(call.module, kind) and len(sources) == 1:
                    return read_module(call)  # type: ignore[no-any-return]
            raise _unsupported(call.name, type(call.module).__name__)
        read_function = _FUNCTIONS.get(node.target if callable(node.target) else str(node.target))
        if read_function is None or not sources:
            raise _unsupported(node.name, str(getattr(node.target, "__name__", node.target)))
        return read_function(Call(self, node, sources))  # type: ignore[no-any-return]


def _reads_size(node: fx.Node) -> bool:
    if node.op == "call_function" and node.target is getattr:
        return node.args[1] in _SHAPE_NAMES
    return node.op == "call_method" and node.target in ("size", "dim")


def _unsupported(name: str, got: str) -> TargetError:
    return TargetError(f"{name} should be one of: {SUPPORTED}", got=got)
