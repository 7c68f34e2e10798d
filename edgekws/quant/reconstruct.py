"""Layer-wise reconstruction: choose a layer's integers so that its output, not its weights, is near the float one.

Rounding each weight to the nearest is not what keeps the output (AdaRound, Nagel et al., arXiv 2004.10568). Here the
layer is trained on its own, through its integer forward, on the integers that the layers before it give
(as AdaQuant does, Hubara et al., arXiv 2006.10518): weights, bias and, where the target allows it, steps.
"""

from __future__ import annotations

import torch

from edgekws.quant.network import Weighted

_BATCH = 64
_WEIGHT_RATE = 0.05
"""Relative to the layer's mean weight step."""
_STEP_RATE = 2e-3


@torch.enable_grad()
def reconstruct(stage: Weighted, integers: torch.Tensor, wanted: torch.Tensor, steps: int) -> None:
    """Train `stage` in place. integers: its input, [n, ...]; wanted: real outputs of the float layer, [n, c, ...].

    Keeps the better of before and after, on all of `integers`.
    """
    goal = wanted / stage.s_out
    before = {name: value.clone() for name, value in stage.state_dict().items()}
    error = _error(stage, integers, goal)
    optimizer = torch.optim.Adam(_groups(stage))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    draw = torch.Generator().manual_seed(0)
    for _ in range(steps):
        chosen = torch.randint(len(integers), (_BATCH,), generator=draw)
        optimizer.zero_grad()
        loss = (stage(integers[chosen]) - goal[chosen].clamp(stage.lo, stage.hi)).square().mean()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        stage.keep_in_range()
    if _error(stage, integers, goal) > error:
        stage.load_state_dict(before)


def _groups(stage: Weighted) -> list[dict[str, object]]:
    weight_step = float(stage.step.mean())
    groups: list[dict[str, object]] = [
        {"params": [stage.weight], "lr": _WEIGHT_RATE * weight_step},
        {"params": [stage.bias], "lr": _WEIGHT_RATE * stage.s_out},
    ]
    if stage.learns_step:
        groups.append({"params": [stage.log_step], "lr": _STEP_RATE})
    return groups


@torch.no_grad()
def _error(stage: Weighted, integers: torch.Tensor, goal: torch.Tensor) -> float:
    return float((stage(integers) - goal.clamp(stage.lo, stage.hi)).square().mean())
