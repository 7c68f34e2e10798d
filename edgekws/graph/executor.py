"""What everything that runs a graph is: a function of features, which are checked alike everywhere."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgekws.errors import ArtifactError

Executor = Callable[[np.ndarray], np.ndarray]
"""features int8 [n, frames, coefficients] -> scores int8 [n, labels]"""


def checked_features(features: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """`features` unchanged. Raises ArtifactError unless they are int8 [n, *shape]."""
    if features.dtype != np.int8 or features.shape[1:] != shape:
        got = f"{features.dtype} {list(features.shape)}"
        raise ArtifactError(f"features should be int8 [n, {', '.join(map(str, shape))}]", got=got)
    return features
