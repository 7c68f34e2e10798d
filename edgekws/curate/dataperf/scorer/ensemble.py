"""The challenge's classifier: the mean of the probabilities of an RBF SVC and of logistic regression.

The seed affects only the calibration of the SVC's probabilities: decision values of five inner folds, drawn by the
seed, fit one sigmoid per pair of classes. The SVC, its decision values on the clips to predict and the logistic
regression are computed once for all seeds.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np

from edgekws.curate import packages
from edgekws.curate.dataperf.scorer import logistic as _logistic
from edgekws.curate.dataperf.scorer import mt19937, platt
from edgekws.errors import ConfigError, DataError

FOLDS, _ROWS, _THREADS = 5, 1024, 2
DEFAULT_NUMERICS = "2023"
"""The leaderboard's."""
NUMERICS = {
    **{name: objective.title for name, objective in _logistic.OBJECTIVES.items()},
    "native": "logistic regression of the installed scikit-learn, in the type of the vectors",
}


_Machine = Any


class _Probabilities(Protocol):
    def probabilities(self, x: np.ndarray) -> np.ndarray: ...


class Ensemble:
    """Fitted for each of `seeds`. x: float [n, dimensions]; y: int [n], any numbers of two classes or more."""

    def __init__(self, x: np.ndarray, y: np.ndarray, seeds: Sequence[int], numerics: str = DEFAULT_NUMERICS) -> None:
        self.classes, codes = _codes(y)
        wide = np.ascontiguousarray(x, np.float64)
        self._gamma = _gamma(wide)
        self._svc = _machine(self._gamma).fit(wide, codes)
        with _one_blas_thread():
            self._logistic = logistic(x, codes, numerics)
        self._native = numerics == "native"
        with _pool() as pool:
            self.sigmoids = list(pool.map(lambda seed: self._calibrated(wide, codes, seed), seeds))

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Class numbers, int64 [seeds, n], of float [n, dimensions]."""
        blocks = [x[start : start + _ROWS] for start in range(0, len(x), _ROWS)]
        with _pool() as pool:
            labels = list(pool.map(self._predict_block, blocks))
        return np.concatenate(labels, axis=1) if labels else np.empty((len(self.sigmoids), 0), np.int64)

    def probabilities(self, x: np.ndarray) -> np.ndarray:
        """The mean of both parts, float64 [seeds, n, classes]."""
        wide = np.ascontiguousarray(x, np.float64)
        classes, decisions = len(self.classes), self._decisions(wide)
        linear = self._logistic.probabilities(x if self._native else wide)
        machines = (platt.probabilities(decisions, sigmoids, classes) for sigmoids in self.sigmoids)
        return np.stack([(machine + linear) / 2 for machine in machines])

    def _predict_block(self, x: np.ndarray) -> np.ndarray:
        labels: np.ndarray = self.classes[self.probabilities(x).argmax(axis=2)]
        return labels

    def _decisions(self, x: np.ndarray) -> np.ndarray:
        """float64 [n, pairs], positive for the first class of a pair, as libsvm counts."""
        values: np.ndarray = self._svc.decision_function(x)
        return -values[:, None] if values.ndim == 1 else values

    def _calibrated(self, x: np.ndarray, codes: np.ndarray, seed: int) -> list[tuple[float, float]]:
        """One sigmoid per pair of classes. libsvm restarts its random numbers for each pair's inner folds."""
        generator, sigmoids = mt19937.libsvm_seed(seed), []
        for first, second in platt.pairs(len(self.classes)):
            rows = np.concatenate([np.flatnonzero(codes == first), np.flatnonzero(codes == second)])
            positive = codes[rows] == first
            order = mt19937.shuffled(len(rows), generator)
            sigmoids.append(platt.fit_sigmoid(self._held_out(x[rows], positive, order), positive))
        return sigmoids

    def _held_out(self, x: np.ndarray, positive: np.ndarray, order: np.ndarray) -> np.ndarray:
        """Decision values of each clip from the fold that does not train on it."""
        decisions = np.zeros(len(x))
        for fold in range(FOLDS):
            begin, end = fold * len(x) // FOLDS, (fold + 1) * len(x) // FOLDS
            tested, trained = order[begin:end], np.concatenate([order[:begin], order[end:]])
            signs = np.where(positive[trained], 1, -1)
            if not len(tested):
                continue
            if len(trained) and abs(signs.sum()) == len(signs):
                decisions[tested] = signs[0]
            elif len(trained):
                decisions[tested] = _machine(self._gamma).fit(x[trained], signs).decision_function(x[tested])
        return decisions


@contextmanager
def _one_blas_thread() -> Iterator[None]:
    """The matrices are small: more threads per product only add overhead."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="blas"):
        yield


@contextmanager
def _pool() -> Iterator[ThreadPoolExecutor]:
    """libsvm and numpy release the interpreter's lock."""
    with _one_blas_thread(), ThreadPoolExecutor(_THREADS) as pool:
        yield pool


def check(numerics: str) -> None:
    """Raises ConfigError that lists the available ones, for unknown numerics."""
    if numerics not in NUMERICS:
        raise ConfigError(f"--numerics should be one of {', '.join(NUMERICS)}", got=numerics)


def logistic(x: np.ndarray, codes: np.ndarray, numerics: str) -> _Probabilities:
    """Fitted as `numerics` says. x: float [n, dimensions]; codes: int [n], all of 0..classes-1 occur.

    Raises ConfigError for unknown numerics.
    """
    check(numerics)
    if numerics == "native":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "did not converge" is how the challenge uses it
            return _logistic.Native(x, codes)
    return _logistic.fit(np.ascontiguousarray(x, np.float64), codes, _logistic.OBJECTIVES[numerics])


def _codes(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    classes, codes = np.unique(np.asarray(y, np.int64), return_inverse=True)
    if len(classes) < 2:
        raise DataError(
            "A classifier needs clips of two classes or more",
            got=f"only class {classes.tolist()}",
            hint="select clips of targets and of other words",
        )
    return classes, codes


def _gamma(x: np.ndarray) -> float:
    spread = float(x.var())
    return 1.0 / (x.shape[1] * spread) if spread else 1.0


def svc(x: np.ndarray, y: np.ndarray) -> _Machine:
    """scikit-learn's, with the challenge's settings. x: float64 [n, dimensions]; y: int [n]."""
    return _machine(_gamma(x)).fit(x, y)


def _machine(gamma: float) -> _Machine:
    """An SVC that is not fitted."""
    return packages.load("sklearn.svm").SVC(kernel="rbf", C=1.0, gamma=gamma, decision_function_shape="ovo")
