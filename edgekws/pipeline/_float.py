"""The scores of a trained float network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from edgekws.training.trained import Trained


def float_logits(trained: Trained, features: np.ndarray) -> np.ndarray:
    """Logits, float64 [n, labels]. features: MFCC [n, frames, coefficients]."""
    from edgekws.training.scoring import logits_of

    logits = logits_of(trained.network, features, trained.features)
    return np.asarray(logits.numpy(), np.float64)
