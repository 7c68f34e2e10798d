"""torch.nn.Module -> float layers, by torch.fx: modules, functions and methods are equal.

The sibling modules read one kind of operation each. Each has MODULES, by class, and FUNCTIONS, by function or name of
a method; a reader takes a Call and returns the Value that the operation gives.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import fx, nn

from edgekws.errors import TargetError
from edgekws.quant.float_layers import Layer
from edgekws.quant.frontends.torch_fx.reader import Reader


@torch.no_grad()
def trace(network: nn.Module) -> list[Layer]:
    """The layers of `network` in its order of execution, as in eval mode; weights are copied, float32 on the CPU.

    Raises TargetError that names the first operation that no Graph node can express.
    """
    with evaluating(network):
        try:
            traced = fx.symbolic_trace(network)
        except Exception as error:  # a forward may raise anything when it is given a symbolic tensor
            hint = "write the forward without branches or loops that depend on values"
            raise TargetError("the network should be traceable by torch.fx", got=str(error), hint=hint) from error
    traced.graph.eliminate_dead_code()
    reader = Reader(traced)
    for node in traced.graph.nodes:
        reader.read(node)
    return reader.finished()


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Eval mode within the block; each module then returns to its own mode: some may be frozen while others train."""
    modes = {module: module.training for module in network.modules()}
    network.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training
