"""C library functions, which scikit-learn's compiled code uses; NumPy's may differ in the last bit by machine."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def each(function: Callable[[float], float], values: np.ndarray) -> np.ndarray:
    """`function` of each element: float64, in the shape of `values`."""
    return np.array([function(value) for value in values.ravel().tolist()], np.float64).reshape(values.shape)
