"""One operation of a traced network: its tensors, its arguments, and where its layers go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import fx, nn

from edgekws.errors import TargetError
from edgekws.quant.frontends.assemble import Assembler, Value, float32

Result = Value | list[Any]
"""What an operation gives: a value, or a list of values and such lists."""


class State(Protocol):
    """What is known before an operation is read.

    values: tensors that depend on the network's input. constants: everything that does not: parameters, sizes.
    """

    @property
    def assembler(self) -> Assembler: ...
    @property
    def values(self) -> dict[fx.Node, Value]: ...
    @property
    def constants(self) -> dict[fx.Node, Any]: ...


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

    @property
    def is_last(self) -> bool:
        """Whether the network returns the result as it is."""
        return all(user.op == "output" for user in self.node.users)

    def known(self, argument: Any) -> Any:  # noqa: ANN401  (arguments are of any type)
        """An argument with constants and values instead of nodes."""
        constants, values = self.state.constants, self.state.values
        return fx.node.map_arg(argument, lambda node: constants.get(node, values.get(node, node)))

    def arguments(self, *names: str, **defaults: object) -> list[Any]:
        """The values of a call's arguments after the tensor, by position or by name."""
        node = self.node
        given = dict(zip(names, node.args[1:], strict=False)) | dict(node.kwargs)
        missing = [name for name in names if name not in given and name not in defaults]
        if missing or len(node.args) > len(names) + 1:
            raise TargetError(f"{node.name} should be called with {', '.join(names)}", got=f"{node.args} {node.kwargs}")
        return [self.known(given.get(name, defaults.get(name))) for name in names]

    def parameters(self, weight: object, bias: object) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Two arguments as float32 tensors. Raises TargetError for those that are computed."""
        if not isinstance(weight, torch.Tensor) or not isinstance(bias, torch.Tensor | None):
            expected = f"{self.name} should use parameters of the network"
            raise TargetError(expected, got="a weight or bias that is computed")
        return float32(weight), copied(bias)

    def moved(self, move: Callable[[torch.Tensor], Any]) -> Result:
        """The result of an operation on x that only moves values; a list where there are several."""
        try:
            results = self.assembler.moved(self.x, move, self.name)
        except (RuntimeError, ValueError, IndexError, TypeError) as error:
            raise TargetError(f"{self.name} should fit its input", got=str(error).partition("\n")[0]) from error
        return results


def unchanged(call: Call) -> Value:
    """The reader of what does nothing in eval mode."""
    return call.x


def copied(values: torch.Tensor | None) -> torch.Tensor | None:
    return None if values is None else float32(values)


def pair(value: object) -> tuple[int, int]:
    """torch's sizes: a number for both, or two."""
    numbers: Any = (value, value) if isinstance(value, int) else value
    return int(numbers[0]), int(numbers[-1])


def along(value: object, rank: int) -> tuple[int, int]:
    """Sizes along rows and columns; for one axis of positions (rank 2) they are the rows, and columns are 1."""
    numbers: Any = (value,) if isinstance(value, int) else tuple(value)  # type: ignore[arg-type]
    return (int(numbers[0]), 1) if rank == 2 else pair(value)


Modules = dict[type[nn.Module], Callable[[Call], Result]]
Functions = dict[object, Callable[[Call], Result]]
