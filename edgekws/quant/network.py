"""QuantNet: a torch module whose forward pass is the integer graph.

Tensors between layers are float32 but hold integers, and every layer requantizes as the target's hardware does, so
that lowering only reads the integers. Trained are weights, biases and, where the hardware has a multiplier of its own
for each channel (4 and 2 bits), gains.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn

from edgekws.features.spec import INPUT_SCALE
from edgekws.graph.ir import INPUT
from edgekws.quant.float_layers import Tensors
from edgekws.quant.layers import QuantizedLayer
from edgekws.quant.weighted import Normalized, Weighted
from edgekws.quant.zero_points import read_by, zero_points


class QuantNet(nn.Module):
    """Features (float32, (int8 - input_zero) * input_scale) -> logits (float32, integers times `score_scale`)."""

    def __init__(
        self,
        layers: list[QuantizedLayer],
        target: str,
        freeze_at: float = 0.7,
        input_scale: float = INPUT_SCALE,
        input_zero: int = 0,
    ) -> None:
        """freeze_at: fraction of the training after which normalizations are frozen and training sees the integers."""
        super().__init__()
        self.stages = nn.ModuleList(layers)  # parameters are called "stages.0.weight" in checkpoints
        self.target, self.freeze_at = target, freeze_at
        self.input_scale, self.input_zero = input_scale, input_zero
        self.zeros = zero_points([layer.float_layer for layer in layers], input_zero)

    def __iter__(self) -> Iterator[QuantizedLayer]:
        for layer in self.stages:
            assert isinstance(layer, QuantizedLayer)
            yield layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for name, scores in self.integers(x):  # noqa: B007
            pass
        return scores.flatten(1) * self.score_scale

    def integers(self, x: torch.Tensor) -> Iterator[tuple[str, torch.Tensor]]:
        """Each layer's name and its integers, float32 [n, c, ...], in order; x as for forward."""
        values: Tensors = {INPUT: self.steps(x)}
        last_use = {name: number for number, layer in enumerate(self) for name in layer.inputs}
        for number, layer in enumerate(self):
            y = layer(*read_by(layer.float_layer, values, self.zeros))
            values = {name: value for name, value in values.items() if last_use[name] > number}
            values[layer.name] = y
            yield layer.name, y

    def steps(self, x: torch.Tensor) -> torch.Tensor:
        """The graph's input for x: int8 values as float32."""
        steps = torch.round(x / self.input_scale)
        return steps + self.input_zero if self.input_zero else steps

    def real(self, steps: torch.Tensor) -> torch.Tensor:
        """The x of `forward` for int8 values of the graph's input, float32."""
        return (steps.float() - self.input_zero) * self.input_scale

    @property
    def score_scale(self) -> float:
        """Real value of one step of the scores."""
        *_, last = self
        return last.s_out

    def score_count(self, shape: tuple[int, int]) -> int:
        """How many scores one clip of shape [frames, coefficients] gets."""
        with torch.no_grad():
            return int(self(torch.zeros(1, 1, *shape)).shape[1])

    def before_step(self, done: float) -> None:
        """Freeze normalizations when it is time. done: the fraction of the training that is complete, 0..1."""
        for layer in self.modules():
            if isinstance(layer, Normalized):
                layer.normalizes = done < self.freeze_at

    def after_step(self) -> None:
        """Bring weights and offsets back into their range."""
        for layer in self.modules():
            if isinstance(layer, Weighted):
                layer.keep_in_range()
