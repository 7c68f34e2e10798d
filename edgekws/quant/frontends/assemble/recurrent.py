"""Recurrent layers: a scan over the rows of a sequence."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import torch

from edgekws.quant.frontends.assemble.pools import Pools
from edgekws.quant.frontends.assemble.value import Value
from edgekws.quant.recurrent import gru_body


class GruWeights(NamedTuple):
    """weight [3 * h, c], bias [3 * h] of the input; state_weight [3 * h, h], state_bias [3 * h]; the gates in the order
    reset, update, new.
    """

    weight: torch.Tensor
    bias: torch.Tensor
    state_weight: torch.Tensor
    state_bias: torch.Tensor


class Recurrent(Pools):
    """Gated recurrent units."""

    def gru(self, x: Value, weights: GruWeights, name: str) -> Value:
        """x: [rows, channels], its index without the batch -> the states, [rows, h]; the first one is after row 0."""
        rows = replace(x, index=x.index.t()[:, :, None].contiguous(), batch=0)
        gates = zip(weights.weight.chunk(3), weights.bias.chunk(3), strict=True)
        steps = [self.conv(rows, w[:, :, None, None], b, (1, 1), (0, 0, 0, 0), 1, name) for w, b in gates]
        self._grus = getattr(self, "_grus", 0) + 1
        body = gru_body(f"gru{self._grus}", weights.state_weight, weights.state_bias)
        shape = (x.shape[0], 1, weights.state_weight.shape[1])
        sources = tuple(each.source for each in steps)
        states = self.layer("scan", "gru", sources, name, body=body, out_shape=shape)
        return replace(states, index=states.index[:, :, 0].t().contiguous(), batch=x.batch)
