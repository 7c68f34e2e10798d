"""Reads the nodes of a traced network in their order."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import fx

from edgekws.errors import TargetError
from edgekws.quant.float_layers import Layer
from edgekws.quant.frontends.assemble import Assembler, Value
from edgekws.quant.frontends.torch_fx import activations, joins, moves, pointwise, pools, recurrent, weighted
from edgekws.quant.frontends.torch_fx.call import Call, Functions, Modules, Result

SUPPORTED = (
    "Conv1d, Conv2d, Linear, GRU, BatchNorm, ReLU, ReLU6, Hardtanh, clamp, activations of one value (Sigmoid, Tanh, "
    "Hardswish, SiLU, GELU, PReLU and their like), sums, products, concatenations, MaxPool, AvgPool, "
    "AdaptiveAvgPool to 1, means, zero padding, operations that move values (Flatten, permute, reshape, chunk, "
    "slices), Dropout, Identity"
)
_KINDS = (weighted, pools, pointwise, activations, joins, recurrent, moves)
_MODULES: Modules = {kind: read for each in _KINDS for kind, read in each.MODULES.items()}
_FUNCTIONS: Functions = {target: read for each in _KINDS for target, read in each.FUNCTIONS.items()}
_ANY_BATCH = {*moves.MODULES.values(), *moves.FUNCTIONS.values(), *recurrent.MODULES.values()}
"""Readers of operations for which the axis of the batch need not be the first one."""
_BY_NAME = {str(getattr(target, "__name__", target)): read for target, read in _FUNCTIONS.items()}
"""For operators of torch.ops.aten, of which torch.export makes its graphs."""
_SHAPE_NAMES = ("shape", "ndim", "dtype", "device")
_SHAPE_METHODS = ("size", "dim", "numel", "ndimension")


class Reader:
    """assembler: where the layers go; the others as call.State explains them."""

    def __init__(self, traced: fx.GraphModule, shape: tuple[int, int] | None) -> None:
        self.modules, self.assembler = dict(traced.named_modules()), Assembler(shape, batch_of(traced))
        self.owner = traced
        self.values: dict[fx.Node, Value] = {}
        self.lists: dict[fx.Node, list[Value]] = {}
        """results of operations that give several tensors"""
        self.constants: dict[fx.Node, Any] = {}
        self.output: fx.Node | None = None

    def read(self, node: fx.Node) -> None:
        if node.op == "placeholder":
            self._read_input(node)
        elif node.op == "get_attr":
            self.constants[node] = operator.attrgetter(str(node.target))(self.owner)
        elif node.op == "output":
            self.output = node
        elif self._is_constant(node):
            self.constants[node] = self._evaluated(node)
        else:
            picked = self._picked(node)
            self._keep(node, self._operation(node) if picked is None else picked)

    def finished(self) -> list[Layer]:
        assert self.output is not None
        returned: Any = self.output.args[0]
        if isinstance(returned, tuple | list) and len(returned) == 1:
            (returned,) = returned
        value = self.values.get(returned) if isinstance(returned, fx.Node) else None
        return self.assembler.finished(value, str(returned))

    def _read_input(self, node: fx.Node) -> None:
        if self.values:
            raise TargetError("the network should have one input", got=f"another one, {node.name}")
        self.values[node] = self.assembler.input(_users(node))

    def _keep(self, node: fx.Node, result: Result) -> None:
        kept = _with_users(result, _users(node))
        if isinstance(kept, Value):
            self.values[node] = kept
        else:
            self.lists[node] = kept

    def _is_constant(self, node: fx.Node) -> bool:
        """Whether it needs no more than shapes and parameters."""
        if _reads_size(node):
            return True
        return node.op != "call_module" and all(source in self.constants for source in node.all_input_nodes)

    def _evaluated(self, node: fx.Node) -> Any:  # noqa: ANN401  (a size, a tensor, anything)
        def known(source: fx.Node) -> Any:  # noqa: ANN401
            if source in self.constants:
                return self.constants[source]
            return torch.empty(self.values[source].shape_of(self.assembler.batch))

        args, kwargs = fx.node.map_arg((node.args, node.kwargs), known)
        target: Any = node.target
        try:
            return (
                getattr(args[0], target)(*args[1:], **kwargs) if node.op == "call_method" else target(*args, **kwargs)
            )
        except Exception as error:
            raise TargetError(f"{node.name} should be computable from shapes and parameters", got=str(error)) from error

    def _picked(self, node: fx.Node) -> Result | None:
        """One of several results; squeeze(0) is the only one."""
        if node.target not in (operator.getitem, "squeeze", torch.squeeze) or node.args[0] not in self.lists:
            return None
        results: Any = self.lists[node.args[0]]  # type: ignore[index]
        place = node.args[1] if node.target is operator.getitem or len(results) > 1 else 0
        if not isinstance(place, int) or not -len(results) <= place < len(results):
            raise TargetError(f"{node.name} should take one of {len(results)} tensors", got=str(place))
        return results[place]  # type: ignore[no-any-return]

    def _operation(self, node: fx.Node) -> Result:
        sources = [self.values[source] for source in node.all_input_nodes if source in self.values]
        if node.op == "call_module":
            call = Call(self, node, sources, self.modules[str(node.target)])
            for kind, read_module in _MODULES.items():
                if isinstance(call.module, kind) and len(sources) == 1:
                    return read_module(_checked(call, read_module))
            raise _unsupported(call.name, type(call.module).__name__)
        read_function = _reader_of(node.target)
        if read_function is None or not sources:
            raise _unsupported(node.name, str(getattr(node.target, "__name__", node.target)))
        return read_function(_checked(Call(self, node, sources), read_function))


def _checked(call: Call, read: Callable[[Call], Result]) -> Call:
    if read not in _ANY_BATCH and any(each.batch for each in call.sources):
        got = f"{list(call.x.shape)} without the batch, which is axis {call.x.batch}"
        raise TargetError(f"{call.name} should read clips along the first axis", got=got)
    return call


def _with_users(result: Any, users: int) -> Any:  # noqa: ANN401  (a Value, or lists of them)
    if isinstance(result, Value):
        return replace(result, users=max(result.users, users))
    return [_with_users(each, users) for each in result]


def _reader_of(target: Any) -> Callable[[Call], Result] | None:  # noqa: ANN401
    if isinstance(target, torch._ops.OpOverload):  # torch has no public name for it
        return _BY_NAME.get(target._schema.name.partition("::")[2])
    return _FUNCTIONS.get(target if callable(target) else str(target))


def batch_of(traced: fx.GraphModule) -> int:
    """How many clips an exported module takes at once; 0 for any."""
    inputs = [node.meta.get("val") for node in traced.graph.nodes if node.op == "placeholder"]
    sizes = [each.shape[0] for each in inputs if isinstance(each, torch.Tensor) and each.ndim]
    return sizes[0] if sizes and isinstance(sizes[0], int) else 0


def _users(node: fx.Node) -> int:
    return sum(not _reads_size(user) for user in node.users)


def _reads_size(node: fx.Node) -> bool:
    if node.op == "call_function" and node.target is getattr:
        return node.args[1] in _SHAPE_NAMES
    return node.op == "call_method" and node.target in _SHAPE_METHODS


def _unsupported(name: str, got: str) -> TargetError:
    return TargetError(f"{name} should be one of: {SUPPORTED}", got=got)
