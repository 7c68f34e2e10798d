"""How often each class is drawn in training, and the correction of the scores for it."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from edgekws.errors import ConfigError
from edgekws.recipe import TrainSection


@torch.no_grad()
def correct_prior(network: nn.Module, clips_per_label: list[int], plan: TrainSection) -> None:
    """Subtract the log frequency of each class in training from the last bias, in place.

    Scores trained with class frequencies p estimate log p(label | clip); subtracting log p makes them suit balanced
    classes (logit adjustment, Menon et al., arXiv 2007.07314). Raises ConfigError if the last layer has no such bias.
    """
    prior = torch.from_numpy(frequencies(np.asarray(clips_per_label), plan.sampling_power)).float()
    *_, last = network.modules()
    if not isinstance(last, nn.Linear) or last.bias is None:
        raise ConfigError("prior_correction needs a linear layer with a bias at the end", got=type(last).__name__)
    last.bias.sub_(plan.prior_correction * torch.log(prior.clamp(min=1e-9)))


def frequencies(clips_per_label: np.ndarray, sampling_power: float) -> np.ndarray:
    """How often each label is drawn; sums to 1."""
    weights = np.where(clips_per_label > 0, clips_per_label.astype(np.float64) ** sampling_power, 0)
    return np.asarray(weights / weights.sum())
