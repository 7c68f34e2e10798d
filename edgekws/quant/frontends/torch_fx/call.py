"""One operation of a traced network: its tensors, its arguments, and where its layers go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import fx, nn

from edgekws.errors import TargetError
from edgekws.quant.frontends.assemble import Assembler, Value, float32


class State(Protocol):
    """What is known before an operation is read.

    values: tensors that depend on the network's input. tensors: parameters. sizes: nodes that hold shapes.
    """

    @property
    def assembler(self) -> Assembler: ...
    @property
    def values(self) -> dict[fx.Node, Value]: ...
    @property
    def tensors(self) -> dict[fx.Node, torch.Tensor]: ...
    @property
    def sizes(self) -> set[fx.Node]: ...


@dataclass(frozen=True)
class Call:
    """node: a call of a module, a function or a method. module: the module that is called, if one is.

    sources: the values among its inputs, in their order.
    """

    state: State
    node: fx.Node
    sources: list[Value]
    module: Any = None

    @property
    def assembler(self) -> Assembler:
        return self.state.assembler

    @property
    def name(self) -> str:
        """How messages refer to the operation: the module's name, or that of the node."""
        return str(self.node.target) if self.node.op == "call_module" else self.node.name

    @property
    def x(self) -> Value:
        """The first tensor that depends on the input."""
        return self.sources[0]

    def arguments(self, *names: str, **defaults: object) -> list[Any]:
        """The values of a call's arguments after the tensor, by position or by name."""
        node = self.node
        given = dict(zip(names, node.args[1:], strict=False)) | dict(node.kwargs)
        missing = [name for name in names if name not in given and name not in defaults]
        if missing or len(node.args) > len(names) + 1:
            raise TargetError(f"{node.name} should be called with {', '.join(names)}", got=f"{node.args} {node.kwargs}")
        return [given.get(name, defaults.get(name)) for name in names]

    def parameters(self, weight: object, bias: object) -> tuple[torch.Tensor, torch.Tensor | None]:
        """The tensors behind two arguments. Raises TargetError for those that are computed."""
        given = self.state.tensors
        tensors = [given.get(each) if isinstance(each, fx.Node) else None for each in (weight, bias)]
        if tensors[0] is None or (bias is not None and tensors[1] is None):
            expected = f"{self.name} should use parameters of the network"
            raise TargetError(expected, got="a weight or bias that is computed")
        return tensors[0], tensors[1]


def unchanged(call: Call) -> Value:
    """The reader of what does nothing in eval mode."""
    return call.x


def copied(values: torch.Tensor | None) -> torch.Tensor | None:
    return None if values is None else float32(values)


def pair(value: object) -> tuple[int, int]:
    """torch's sizes: a number for both, or two."""
    numbers: Any = (value, value) if isinstance(value, int) else value
    return int(numbers[0]), int(numbers[-1])


Modules = dict[type[nn.Module], Any]
Functions = dict[object, Any]
