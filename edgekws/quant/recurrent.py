"""Gated recurrent units: the layers of their body, and a quantized scan whose state has 8 bits.

With the projections x_r, x_z, x_n of a row and the state h, the next state is (Cho et al., arXiv 1406.1078, as
torch.nn.GRU computes it)

    r = sigmoid(x_r + W_r h + b_r)        z = sigmoid(x_z + W_z h + b_z)
    n = tanh(x_n + r * (W_n h + b_n))     h' = (1 - z) * n + z * h
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from edgekws.graph.ops import DENSE
from edgekws.graph.sums import STATE, step
from edgekws.quant import curves
from edgekws.quant.float_layers import MUL, Layer, Tensors, rows_of
from edgekws.quant.layers import QuantizedLayer

_EMPTY = torch.zeros(0)
_GATES = ("reset", "update", "new")


def gru_body(name: str, weight: torch.Tensor, bias: torch.Tensor) -> tuple[Layer, ...]:
    """weight: [3 * c, c], bias: [3 * c], of the state, in the order reset, update, new. name: prefix of the layers."""
    parts = zip(_GATES, weight.chunk(3), bias.chunk(3), strict=True)
    layers = [_layer(f"{name}.h_{gate}", DENSE, STATE, weight=w, bias=b) for gate, w, b in parts]
    h_reset, h_update, h_new = (layer.name for layer in layers)
    return (
        *layers,
        _layer(f"{name}.s_reset", "rescaled_add", step(0), h_reset),
        _layer(f"{name}.reset", "table", f"{name}.s_reset", curve=curves.SIGMOID),
        _layer(f"{name}.s_update", "rescaled_add", step(1), h_update),
        _layer(f"{name}.update", "table", f"{name}.s_update", curve=curves.SIGMOID),
        _layer(f"{name}.keep", "table", f"{name}.s_update", curve=curves.ONE_MINUS_SIGMOID),
        _layer(f"{name}.gated", MUL, h_new, f"{name}.reset"),
        _layer(f"{name}.s_new", "rescaled_add", step(2), f"{name}.gated"),
        _layer(f"{name}.new", "table", f"{name}.s_new", curve=curves.TANH),
        _layer(f"{name}.from_new", MUL, f"{name}.new", f"{name}.keep"),
        _layer(f"{name}.from_old", MUL, STATE, f"{name}.update"),
        _layer(f"{name}.next", "rescaled_add", f"{name}.from_new", f"{name}.from_old"),
    )


def _layer(name: str, kind: str, *inputs: str, **fields: object) -> Layer:
    given = {"weight": _EMPTY, "bias": _EMPTY, **fields}
    return Layer(name, kind, inputs, **given)  # type: ignore[arg-type]


def body_inputs(layer: Layer, values: Sequence[torch.Tensor]) -> Tensors:
    """What the layers of a scan's body read and give in a float network: all rows as clips, [n * rows, c, ...].

    values: the inputs of the scan, [n, c, rows, 1].
    """
    rows = list(rows_of(layer, *values))
    return {name: torch.cat([each[name] for each in rows]) for name in rows[0]}


class Scan(QuantizedLayer):
    """The body is repeated for each row; gradients go back through all of them."""

    def __init__(self, layer: Layer, body: Sequence[QuantizedLayer]) -> None:
        super().__init__(layer, signed=True)
        self.body = nn.ModuleList(body)
        self.s_out = body[-1].s_out

    def layers(self) -> list[QuantizedLayer]:
        """The layers of the body, in order."""
        return [layer for layer in self.body if isinstance(layer, QuantizedLayer)]

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        body, states = self.layers(), []
        state = torch.zeros_like(inputs[0][:, :, :1])
        for row in range(inputs[0].shape[2]):
            values: Tensors = {step(number): x[:, :, row : row + 1] for number, x in enumerate(inputs)}
            values[STATE] = state
            for layer in body:
                values[layer.name] = layer(*(values[name] for name in layer.inputs))
            state = values[body[-1].name].reshape(len(state), -1, 1, 1)
            states.append(state)
        return torch.cat(states, 2)
