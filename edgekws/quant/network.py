"""QuantNet: a torch module whose forward pass IS the integer graph.

All tensors between layers are float32 that hold integers, and every stage computes what the target's hardware
computes (`stage`), so that lowering only reads integers off. What is trained: weights, biases and, where the
hardware has a free multiplier (4 and 2 bits), gains.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn

from edgekws.features.spec import INPUT_SCALE
from edgekws.graph.ir import INPUT
from edgekws.quant.float_layers import Tensors
from edgekws.quant.layers import Stage
from edgekws.quant.weighted import Normalized, Weighted

EXACT_FLOAT32 = 1 << 24


class QuantNet(nn.Module):
    """Features (float32, int8 steps times INPUT_SCALE) -> logits (float32, integers times `score_scale`)."""

    def __init__(self, stages: list[Stage], target: str, freeze_at: float = 0.7) -> None:
        """freeze_at: the share of the training after which normalizations stay, and training sees the integers."""
        super().__init__()
        self.stages, self.target, self.freeze_at = nn.ModuleList(stages), target, freeze_at

    def __iter__(self) -> Iterator[Stage]:
        for stage in self.stages:
            assert isinstance(stage, Stage)
            yield stage

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for name, scores in self.integers(x):  # noqa: B007
            pass
        return scores.flatten(1) * self.score_scale

    def integers(self, x: torch.Tensor) -> Iterator[tuple[str, torch.Tensor]]:
        """Each layer's name and its integers, in order; x as for forward."""
        values: Tensors = {INPUT: torch.round(x / INPUT_SCALE)}
        uses = {name: number for number, stage in enumerate(self) for name in stage.layer.inputs}
        for number, stage in enumerate(self):
            y = stage(*(values[name] for name in stage.layer.inputs))
            values = {name: value for name, value in values.items() if uses[name] > number}
            values[stage.layer.name] = y
            yield stage.layer.name, y

    @property
    def score_scale(self) -> float:
        *_, last = self
        return last.s_out

    def score_count(self, shape: tuple[int, int]) -> int:
        """How many scores one clip of shape [frames, coefficients] gets."""
        with torch.no_grad():
            return int(self(torch.zeros(1, 1, *shape)).shape[1])

    def before_step(self, done: float) -> None:
        """done: the share of the training that lies behind, 0..1."""
        for stage in self:
            if isinstance(stage, Normalized):
                stage.normalizes = done < self.freeze_at

    def after_step(self) -> None:
        for stage in self:
            if isinstance(stage, Weighted):
                stage.keep_in_range()
