"""How much each layer at each width adds to the error of the network's output.

The network is quantized once at every width (`ptq`). One layer at a time of the widest network is then replaced by the
same layer of a narrower one, and the scores are compared with the float network's. All share one calibration: scales
of activations do not depend on the widths of weights.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch.nn import functional

from edgekws.graph.ir import INPUT
from edgekws.quant.float_layers import Tensors, run_layers
from edgekws.quant.layers import QuantizedLayer
from edgekws.quant.network import QuantNet
from edgekws.quant.weighted import Weighted, channel_moments
from edgekws.quant.zero_points import read_by

CLIPS = 512
"""Calibration clips that errors are measured on."""


class Sensitivity:
    """Errors on some calibration clips. With bias correction, computing them changes biases of the networks."""

    @torch.no_grad()
    def __init__(self, networks: Mapping[int, QuantNet], inputs: torch.Tensor, correct_bias: bool) -> None:
        """networks: by bits, of one calibration. inputs: calibration clips, float32 [n, 1, frames, coefficients].

        correct_bias: whether PTQ corrects biases; each layer's is then corrected again for the inputs it gets here.
        """
        self.networks, self.correct_bias = networks, correct_bias
        self.widest = networks[max(networks)]
        self.layers = {bits: {layer.name: layer for layer in network} for bits, network in networks.items()}
        chosen = inputs[:: max(1, len(inputs) // CLIPS)]
        layers = [layer.float_layer for layer in self.widest]
        real = run_layers(layers, chosen)
        weighted = [layer.float_layer for layer in self.widest if isinstance(layer, Weighted)]
        self.moments = {layer.name: channel_moments(layer.accumulate(real[layer.inputs[0]])) for layer in weighted}
        self.log_probabilities = functional.log_softmax(real[layers[-1].name].flatten(1), dim=1)
        self.values = self._base(self.widest.steps(chosen))
        self.base = self._error(self.values)
        """Error of the network with all layers at the widest width; nats."""

    @torch.no_grad()
    def added(self, name: str, bits: int) -> float:
        """What layer `name` adds to `base` when it alone has `bits`; nats, not below 0."""
        values = {**self.values, name: self._output(self.layers[bits][name], self.values)}
        changed = {name}
        for layer in self.widest:
            if changed & set(layer.inputs):
                values[layer.name] = self._output(layer, values)
                changed.add(layer.name)
        return max(0.0, self._error(values) - self.base)

    def _base(self, inputs: torch.Tensor) -> Tensors:
        values: Tensors = {INPUT: inputs}
        for layer in self.widest:
            values[layer.name] = self._output(layer, values)
        return values

    def _output(self, layer: QuantizedLayer, values: Tensors) -> torch.Tensor:
        inputs = read_by(layer.float_layer, values, self.widest.zeros)
        if isinstance(layer, Weighted) and self.correct_bias:
            layer.correct(self.moments[layer.name], inputs[0])
        output: torch.Tensor = layer(*inputs)
        return output

    def _error(self, values: Tensors) -> float:
        """Mean Kullback-Leibler divergence from the float network's probabilities."""
        *_, last = self.widest
        scores = functional.log_softmax(values[last.name].flatten(1) * last.s_out, dim=1)
        return float(functional.kl_div(scores, self.log_probabilities, reduction="batchmean", log_target=True))
