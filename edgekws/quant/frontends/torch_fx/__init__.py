"""torch.nn.Module -> float layers, by torch.fx: modules, functions and methods are equal.

The sibling modules read one kind of operation each. Each has MODULES, by class, and FUNCTIONS, by function or name of
a method; a reader takes a Call and returns the Value that the operation gives.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import torch
from torch import fx, nn

from edgekws.errors import TargetError
from edgekws.features.spec import FeatureSpec
from edgekws.quant.float_layers import Layer
from edgekws.quant.frontends.torch_fx.reader import Reader, batch_of


@torch.no_grad()
def trace(network: nn.Module, shape: tuple[int, int] | None = None) -> list[Layer]:
    """The layers of `network` in its order of execution, as in eval mode; weights are copied, float32 on the CPU.

    shape: (frames, coefficients) of its input [n, 1, frames, coefficients]; those of MLPerf Tiny by default. Raises
    TargetError that names the first operation that no Graph node can express.
    """
    shape = shape or FeatureSpec().shape
    network = getattr(network, "_orig_mod", network)  # of what torch.compile returns
    with evaluating(network):
        traced = _traced(network, shape)
    traced.graph.eliminate_dead_code()
    reader = Reader(traced, shape)
    for node in traced.graph.nodes:
        if node.users or node.op in ("placeholder", "output"):  # else a guard of torch.export
            reader.read(node)
    return reader.finished()


def _traced(network: nn.Module, shape: tuple[int, int]) -> fx.GraphModule:
    """By torch.fx; where the forward has branches or loops over shapes, by torch.export."""
    if isinstance(network, fx.GraphModule):
        return network
    try:
        return fx.symbolic_trace(network)
    except Exception as error:  # a forward may raise anything when it is given a symbolic tensor
        exported = _exported(network, shape)
        if exported is None:
            hint = "write the forward without branches or loops that depend on values"
            raise TargetError("the network should be traceable by torch.fx", got=str(error), hint=hint) from error
        return exported


def _exported(network: nn.Module, shape: tuple[int, int]) -> fx.GraphModule | None:
    parameter = next(network.parameters(), torch.zeros(()))
    try:
        module = torch.export.export(network, (torch.zeros(2, 1, *shape).to(parameter),)).module()
    except Exception:
        return None
    return module if isinstance(module, fx.GraphModule) else None


def run(network: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """The network's result for x [n, 1, frames, coefficients], whatever batch an exported module takes."""
    size = batch_of(network) if isinstance(network, fx.GraphModule) else 0
    if not size:
        return network(x)  # type: ignore[no-any-return]
    filled = torch.cat([x, x[:1].expand(-len(x) % size, *x.shape[1:])])
    return torch.cat([network(part) for part in filled.split(size)])[: len(x)]  # type: ignore[no-untyped-call]


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Eval mode within the block; each module then returns to its own mode: some may be frozen while others train."""
    modes = {module: module.training for module in network.modules()}
    with suppress(NotImplementedError):  # of exported modules, which have the mode that they were exported in
        network.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training
