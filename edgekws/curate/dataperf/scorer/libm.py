"""Functions of the C library, whose last bit scikit-learn's compiled code has; that of numpy's differs by machine."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def each(function: Callable[[float], float], values: np.ndarray) -> np.ndarray:
    """float64, in the shape of `values`."""
    return np.array([function(value) for value in values.ravel().tolist()], np.float64).reshape(values.shape)
