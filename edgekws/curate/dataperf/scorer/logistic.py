"""Logistic regression as scikit-learn's releases had it: the same loss, optimizer and tolerances, in float64.

Before 1.4 the loss is a sum over clips and the optimizer stops by scipy's default; since 1.4 it is a mean, the
penalty is divided by the number of clips, and the optimizer has a tighter limit. Since 1.9 float32 stays float32
(`native` only: that one calls the installed release).

The optimizer stops long before the minimum, and for large vectors its path amplifies the last bit of the loss until
labels change. Sums are therefore computed in scikit-learn's order.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgekws.curate import packages
from edgekws.curate.dataperf.scorer.libm import each

_GRADIENT, _ITERATIONS = 1e-4, 100


@dataclass(frozen=True)
class Objective:
    """What changed between releases. mean: loss and penalty are divided by the number of clips."""

    title: str
    mean: bool
    options: dict[str, float]


OBJECTIVES = {
    "2023": Objective("logistic regression of scikit-learn 1.0 to 1.3, float64", False, {}),
    "2024": Objective(
        "logistic regression of scikit-learn 1.4 to 1.8, float64", True, {"maxls": 50, "ftol": 64 * 2.0**-52}
    ),
}


@dataclass(frozen=True)
class Logistic:
    """weights: float64 [classes or 1, dimensions]; bias: float64 [classes or 1]."""

    weights: np.ndarray
    bias: np.ndarray

    def probabilities(self, x: np.ndarray) -> np.ndarray:
        """float64 [n, classes] of float64 [n, dimensions]."""
        raw = x @ self.weights.T + self.bias
        if raw.shape[1] == 1:
            second = _expit(raw[:, 0])
            return np.stack([1 - second, second], axis=1)
        raw -= raw.max(axis=1, keepdims=True)
        np.exp(raw, out=raw)
        return np.asarray(raw / raw.sum(axis=1, keepdims=True))


def fit(x: np.ndarray, y: np.ndarray, objective: Objective) -> Logistic:
    """x: float64 [n, dimensions]; y: int [n], all of 0..classes-1 occur."""
    classes = int(y.max()) + 1
    rows = 1 if classes == 2 else classes
    count = len(x) if objective.mean else 1
    options: dict[str, Any] = {"maxiter": _ITERATIONS, "gtol": _GRADIENT, **objective.options}
    start, loss = np.zeros(rows * (x.shape[1] + 1)), _binary if classes == 2 else _multinomial
    minimize = packages.load("scipy.optimize").minimize
    result = minimize(loss, start, args=(x, y, count), method="L-BFGS-B", jac=True, options=options)
    weights = result.x.reshape((rows, -1), order="F")
    return Logistic(np.ascontiguousarray(weights[:, :-1]), weights[:, -1].copy())


def _multinomial(flat: np.ndarray, x: np.ndarray, y: np.ndarray, count: int) -> tuple[float, np.ndarray]:
    """(loss, gradient); both are divided by `count`."""
    classes, clips = flat.size // (x.shape[1] + 1), np.arange(len(y))
    packed = flat.reshape((classes, -1), order="F")
    weights, strength = packed[:, :-1], 1.0 / count
    raw = x @ weights.T + packed[:, -1]
    top = raw.max(axis=1)
    slopes = each(math.exp, raw - top[:, None])
    total = np.cumsum(slopes, axis=1)[:, -1]
    losses = each(math.log, total) + top - raw[clips, y]
    slopes /= total[:, None]
    slopes[clips, y] -= 1
    slopes /= count
    gradient = np.empty((classes, x.shape[1] + 1), order="F")
    gradient[:, :-1] = slopes.T @ x + strength * weights
    gradient[:, -1] = slopes.sum(axis=0)
    return _penalized(losses.sum() / count, weights, strength), gradient.ravel(order="F")


def _binary(flat: np.ndarray, x: np.ndarray, y: np.ndarray, count: int) -> tuple[float, np.ndarray]:
    weights, strength = flat[:-1], 1.0 / count
    raw = x @ weights + flat[-1]
    small = each(math.exp, -np.abs(raw))
    losses = each(math.log1p, small) + np.where(raw > 0, (1 - y) * raw, -y * raw)
    slopes = np.where(raw > 0, (1 - y) - y * small, (1 - y) * small - y) / (1 + small) / count
    gradient = np.empty_like(flat)
    gradient[:-1] = x.T @ slopes + strength * weights
    gradient[-1] = slopes.sum()
    return _penalized(losses.sum() / count, weights, strength), gradient


def _penalized(loss: float, weights: np.ndarray, strength: float) -> float:
    """The bias is not penalized."""
    flat = weights.ravel(order="K")
    return float(loss + 0.5 * strength * (flat @ flat))


def _expit(z: np.ndarray) -> np.ndarray:
    small = np.exp(-np.abs(z))
    return np.asarray(np.where(z >= 0, 1.0, small) / (1.0 + small))


class Native:
    """LogisticRegression of the scikit-learn that is installed, in the type that the vectors have."""

    def __init__(self, x: np.ndarray, y: np.ndarray) -> None:
        self._model = packages.load("sklearn.linear_model").LogisticRegression().fit(x, y)

    def probabilities(self, x: np.ndarray) -> np.ndarray:
        result: np.ndarray = self._model.predict_proba(x)
        return result
