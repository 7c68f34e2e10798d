"""From SVM decision values to probabilities, as in libsvm 3.10 (scikit-learn's copy).

sigmoid: H.-T. Lin, C.-J. Lin, R. C. Weng, "A note on Platt's probabilistic outputs for support vector machines", 2007.
coupling: T.-F. Wu, C.-J. Lin, R. C. Weng, "Probability estimates for multi-class classification by pairwise
coupling", JMLR 2004, the second method.
"""

from __future__ import annotations

import math

import numpy as np

from edgekws.curate.dataperf.scorer.libm import each

_MIN_STEP, _RIDGE, _GRADIENT, _DECREASE, _ITERATIONS = 1e-10, 1e-12, 1e-5, 1e-4, 100
_MIN_PROBABILITY = 1e-7
_COLUMNS = 4096


def fit_sigmoid(decisions: np.ndarray, positive: np.ndarray) -> tuple[float, float]:
    """(A, B) of P(positive) = 1 / (1 + exp(A * decision + B)). decisions: float64 [n]; positive: bool [n]."""
    n_positive = int(positive.sum())
    n_negative = len(positive) - n_positive
    targets = np.where(positive, (n_positive + 1.0) / (n_positive + 2.0), 1 / (n_negative + 2.0))
    a, b = 0.0, math.log((n_negative + 1.0) / (n_positive + 1.0))
    value = _loss(decisions, targets, a, b)
    for _ in range(_ITERATIONS):
        step = _newton(decisions, targets, a, b)
        if step is None:
            break
        size = 1.0
        while size >= _MIN_STEP:
            new_a, new_b = a + size * step[0], b + size * step[1]
            new_value = _loss(decisions, targets, new_a, new_b)
            if new_value < value + _DECREASE * size * step[2]:
                a, b, value = new_a, new_b, new_value
                break
            size /= 2.0
        else:
            break
    return a, b


def _loss(decisions: np.ndarray, targets: np.ndarray, a: float, b: float) -> float:
    z = decisions * a + b
    return _sum(np.where(z >= 0, targets, targets - 1) * z + each(math.log, 1 + each(math.exp, -np.abs(z))))


def _newton(decisions: np.ndarray, targets: np.ndarray, a: float, b: float) -> tuple[float, float, float] | None:
    """(step of A, step of B, slope along it); None where the gradient has vanished or has no direction."""
    z = decisions * a + b
    small = each(math.exp, -np.abs(z))
    p, q = np.where(z >= 0, small, 1.0) / (1.0 + small), np.where(z >= 0, 1.0, small) / (1.0 + small)
    weight, error = p * q, targets - p
    g1, g2 = _sum(decisions * error), _sum(error)
    if abs(g1) < _GRADIENT and abs(g2) < _GRADIENT:
        return None
    h11, h22 = _sum(decisions * decisions * weight, _RIDGE), _sum(weight, _RIDGE)
    h21 = _sum(decisions * weight)
    det = h11 * h22 - h21 * h21
    if det == 0:
        return None  # where C divides by zero, no step lowers the loss either
    da, db = -(h22 * g1 - h21 * g2) / det, -(-h21 * g1 + h11 * g2) / det
    return da, db, g1 * da + g2 * db


def _sum(values: np.ndarray, start: float = 0.0) -> float:
    """The sum in sequential order from `start`, like a loop in C; NumPy uses pairwise summation."""
    return float(np.cumsum(np.concatenate([[start], values]))[-1])


def sigmoid(decisions: np.ndarray, a: float, b: float) -> np.ndarray:
    """1 / (1 + exp(a * decision + b)), without overflow; float64, in the shape of `decisions`."""
    z = decisions * a + b
    small = np.exp(-np.abs(z))
    return np.asarray(np.where(z >= 0, small, 1.0) / (1.0 + small))


def pairs(classes: int) -> list[tuple[int, int]]:
    """Pairs of classes in libsvm's order."""
    return [(i, j) for i in range(classes) for j in range(i + 1, classes)]


def probabilities(decisions: np.ndarray, sigmoids: list[tuple[float, float]], classes: int) -> np.ndarray:
    """float64 [n, classes]. decisions: float64 [n, pairs], positive for the first class of a pair."""
    out = np.empty((len(decisions), classes))
    for start in range(0, len(decisions), _COLUMNS):  # blocks that stay in the cache
        rows = slice(start, start + _COLUMNS)
        out[rows] = _couple(_pairwise(decisions[rows], sigmoids, classes)).T
    return out


def _pairwise(decisions: np.ndarray, sigmoids: list[tuple[float, float]], classes: int) -> np.ndarray:
    """r [classes, classes, n]: r[i, j] is the probability of class i when it is i or j."""
    r = np.zeros((classes, classes, len(decisions)))
    for column, (i, j) in enumerate(pairs(classes)):
        r[i, j] = np.clip(sigmoid(decisions[:, column], *sigmoids[column]), _MIN_PROBABILITY, 1 - _MIN_PROBABILITY)
        r[j, i] = 1 - r[i, j]
    return r


def _couple(r: np.ndarray) -> np.ndarray:
    """p [classes, n] that minimizes sum over i, j of (r[j, i] p[i] - r[i, j] p[j])^2, by coordinate steps."""
    classes, _, count = r.shape
    q = _quadratic(r)
    out, p, active = np.empty((classes, count)), np.full((classes, count), 1.0 / classes), np.arange(count)
    for _ in range(max(_ITERATIONS, classes)):
        qp = _product(q, p)
        pqp = _product(p[None], qp)[0]
        going = np.abs(qp - pqp).max(axis=0) >= 0.005 / classes
        if not going.all():
            out[:, active[~going]] = p[:, ~going]
            active, p, qp, pqp, q = active[going], p[:, going], qp[:, going], pqp[going], q[:, :, going]
            if not len(active):
                return out
        for t in range(classes):
            step = (pqp - qp[t]) / q[t, t]
            scale = 1 + step
            p[t] += step
            pqp = (pqp + step * (step * q[t, t] + 2 * qp[t])) / scale / scale
            qp = (qp + step * q[t]) / scale
            p /= scale
    out[:, active] = p
    return out


def _quadratic(r: np.ndarray) -> np.ndarray:
    q: np.ndarray = -r.transpose(1, 0, 2) * r
    for t in range(len(r)):
        q[t, t] = _sum_in_order(np.delete(r[:, t], t, axis=0) ** 2)
    return q


def _product(q: np.ndarray, p: np.ndarray) -> np.ndarray:
    """sum over j of q[t, j] * p[j], in sequential order."""
    return np.stack([_sum_in_order(row * p) for row in q])


def _sum_in_order(rows: np.ndarray) -> np.ndarray:
    total: np.ndarray = rows[0].copy()
    for row in rows[1:]:
        total += row
    return total
