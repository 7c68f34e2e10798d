"""The random order that scikit-learn's libsvm gives to clips: std::mt19937 and a bounded integer.

D. Lemire, "Fast random integer generation in an interval", 2019. 32-bit words of numpy's RandomState, whose stream is
frozen, are those of std::mt19937.
"""

from __future__ import annotations

import numpy as np

_WORDS = 1 << 32


def shuffled(size: int, seed: int) -> np.ndarray:
    """int64 [size]: 0..size-1 as Fisher and Yates order them, each place from those not yet placed."""
    words = _Words(seed, size)
    order = list(range(size))
    for place in range(size):
        other = place + words.below(size - place)
        order[place], order[other] = order[other], order[place]
    return np.array(order, np.int64)


def libsvm_seed(seed: int) -> int:
    """The seed that SVC(random_state=seed) hands to libsvm."""
    return int(np.random.RandomState(seed).randint(2**31 - 1))


class _Words:
    def __init__(self, seed: int, expected: int) -> None:
        self._source, self._batch = np.random.RandomState(seed), max(16, expected + 4)
        self._ready: list[int] = []

    def _next(self) -> int:
        if not self._ready:
            drawn = np.frombuffer(self._source.bytes(4 * self._batch), "<u4")
            self._ready = drawn[::-1].tolist()
        return self._ready.pop()

    def below(self, limit: int) -> int:
        """Uniform in 0..limit-1: the high word of a product, drawn again where it would be biased."""
        product = self._next() * limit
        if product % _WORDS < limit:
            threshold = (_WORDS - limit) % limit
            while product % _WORDS < threshold:
                product = self._next() * limit
        return product >> 32
