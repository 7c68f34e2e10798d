"""Whether any network of these layers meets a budget, said before the search: costs need no clips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from edgekws import targets
from edgekws.quant.mixed.front import Cost
from edgekws.quant.mixed.options import costs
from edgekws.quant.widths import layer_bits

if TYPE_CHECKING:
    from edgekws.graph.ir import Graph
    from edgekws.quant.float_layers import Layer
    from edgekws.training.trained import Trained

_CLIPS = 16
"""Ranges of activations come from noise: shapes and widths alone decide what a layer costs."""


def least(
    trained: Trained, target: targets.Target, device: targets.Device, pinned: Mapping[str, int], cost: Cost
) -> int:
    """What no network of these layers is below: bytes of flash or cycles, with the cheapest width of every layer.

    pinned: patterns of layers -> bits that are given. Widths that the target refuses for a layer count as well, so a
    search may find that the least is higher.
    """
    from edgekws.quant.frontends import torch_fx

    layers = torch_fx.trace(trained.network, trained.features.shape)
    given = {name: bits for name, bits in layer_bits(layers, 0, pinned).items() if bits}
    graphs = {bits: _graph(trained, layers, bits) for bits in target.WEIGHT_BITS}
    total = 0
    for name in (node.name for node in graphs[max(graphs)].nodes):
        widths = [given[name]] if given.get(name) in graphs else graphs
        total += min(costs(graphs[bits].node(name), target, device, cost) for bits in widths)
    return total


def _graph(trained: Trained, layers: Sequence[Layer], bits: int) -> Graph:
    import torch

    from edgekws.quant import lower, ptq

    plan = trained.recipe.quant.model_copy(
        update={
            "method": "ptq",
            "weight_bits": bits,
            "layers": {},
            "calibration": "minmax",
            "reconstruct": False,
            "correct_bias": False,
        }
    )
    noise = torch.randn((_CLIPS, 1, *trained.features.shape), generator=torch.Generator().manual_seed(0)).clamp(-4, 3.9)
    network = ptq.quantize(layers, noise, plan)
    return lower.lower(network, trained.features, trained.labels, trained.recipe.name, strict=False)
