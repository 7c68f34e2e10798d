"""The loss of scenes: what the detector would do with them.

The posterior of the phrase is smoothed as the detector smooths it. A scene with the phrase needs one high value shortly
after the phrase's end; a scene without it, none anywhere: the max-pooling loss of M. Sun et al., arXiv 1705.02411.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional

SILENCE, UNKNOWN, WORD = 0, 1, 2
"""Scores of the network, in the order of its labels."""
_SMALLEST = 1e-6
_WORST = 3
"""Steps of a scene without the phrase that count most."""


@dataclass(frozen=True)
class Batch:
    """inputs: float32 [n, 1, frames, coefficients]. first, last: int64 [n], the steps in which the phrase may be
    detected; first is -1 in scenes without it. truth: int64 [n], the score that should be highest.
    is_uniform: bool [n], whether `truth` holds for all steps of a scene.
    """

    inputs: torch.Tensor
    first: torch.Tensor
    last: torch.Tensor
    truth: torch.Tensor
    is_uniform: torch.Tensor


def loss(logits: torch.Tensor, batch: Batch, smoothing: int) -> torch.Tensor:
    """A scalar. logits: float32 [n, labels, steps]."""
    smooth = smoothed(logits, smoothing)
    steps = torch.arange(smoothing - 1, logits.shape[2])[None]
    has_phrase = batch.first >= 0
    allowed = (steps >= batch.first[:, None]) & (steps <= batch.last[:, None])
    highest = smooth.masked_fill(~allowed, 0).amax(1)
    hit = -torch.log(highest.clamp_min(_SMALLEST))
    quiet = -torch.log((1 - smooth).clamp_min(_SMALLEST))
    false = quiet.topk(_WORST, dim=1).values.mean(1) + 0.5 * quiet.mean(1)
    each = torch.where(has_phrase, hit, false)
    kind = functional.cross_entropy(logits, batch.truth[:, None].expand(-1, logits.shape[2]), reduction="none")
    return each.mean() + 0.2 * (kind.mean(1) * batch.is_uniform).mean()


def smoothed(logits: torch.Tensor, smoothing: int) -> torch.Tensor:
    """Posterior of the phrase, the mean of `smoothing` steps: [n, labels, steps] -> [n, steps - smoothing + 1]."""
    posterior = logits.softmax(1)[:, WORD]
    return functional.avg_pool1d(posterior[:, None], smoothing, 1)[:, 0]
