"""Arithmetic that is independent of machine, order and partitioning.

A vector is stored as its direction in signed 8-bit integers. A dot product of two such vectors is an integer below
2**24, so float32 holds it and every partial sum exactly: any BLAS, block size and number of threads gives the same
bits. The scaling that follows is one multiplication at a time, which IEEE 754 rounds in one way only. Similarities
that are summed are rounded to a grid first, so that they are integers too.

    vector float [d]  ->  q int8 [d], largest entry +-levels(d)  ->  cosine(q, c) = (q . c) / |c| / |q|
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable

import numpy as np

from edgekws.errors import DataError

GRID = 32767
"""Grid steps between similarity 0 and 1, for sums."""
_EXACT = 2**24 - 1
"""The largest integer up to which float32 is exact."""
MAX_DIMENSIONS = 1 << 16
_SILENT = 1e-30
_GOLDEN = 0x9E3779B97F4A7C15
_ALL_64 = (1 << 64) - 1


def levels(dimensions: int) -> int:
    """The largest entry of a vector of integers, so that products of two stay exact in float32: 127 up to 1,040."""
    return min(127, math.isqrt(_EXACT // dimensions))


def quantize(vectors: np.ndarray) -> np.ndarray:
    """float32 [n, d] -> int8 [n, d]; rows of zeros stay zeros. Every entry must be finite."""
    peak = np.abs(vectors).max(axis=1, initial=0.0)
    factor = np.float32(levels(vectors.shape[1])) / np.where(peak > _SILENT, peak, np.float32(np.inf))
    result: np.ndarray = np.rint(vectors * factor[:, None]).astype(np.int8)
    return result


def inverse_norms(rows: np.ndarray) -> np.ndarray:
    """rows: integers as float32 [n, d], none of them all zeros. Returns float32 [n]: 1 / length."""
    squares = np.einsum("ij,ij->i", rows, rows)
    inverse: np.ndarray = (1.0 / np.sqrt(squares.astype(np.float64))).astype(np.float32)
    return inverse


def cosines(rows: np.ndarray, centres: np.ndarray, rows_inverse: np.ndarray, inverse: np.ndarray) -> np.ndarray:
    """rows, centres: float32 [n, d] and [k, d], of integers, and their `inverse_norms`. Returns float32 [n, k]."""
    result: np.ndarray = rows @ centres.T
    result *= inverse
    result *= rows_inverse[:, None]
    return result


def nearest(rows: np.ndarray, centres: np.ndarray, rows_inverse: np.ndarray | None = None) -> np.ndarray:
    """The largest of `cosines` of each row: float32 [n]. Multiplying by a length afterwards rounds to the same."""
    products = rows @ centres.T
    products *= inverse_norms(centres)
    best: np.ndarray = products.max(axis=1)
    best *= inverse_norms(rows) if rows_inverse is None else rows_inverse
    return best


def grid_norms(rows: np.ndarray) -> np.ndarray:
    """As `inverse_norms`, for `similarities`: float32 [n], times the square root of GRID."""
    scaled: np.ndarray = inverse_norms(rows) * np.float32(math.sqrt(GRID))
    return scaled


def similarities(rows: np.ndarray, others: np.ndarray, norms: np.ndarray, other_norms: np.ndarray) -> np.ndarray:
    """Cosines on the grid, int16 [n, k], for sums; with the `grid_norms` of both. Symmetric to the last bit."""
    result: np.ndarray = rows @ others.T
    result *= norms[:, None] * other_norms
    steps: np.ndarray = np.rint(result, out=result).astype(np.int16)
    return steps


def hashes(ids: Iterable[str]) -> np.ndarray:
    """uint64 [n]: sort keys of clips; they depend on the ids alone."""
    digests = b"".join(hashlib.blake2b(name.encode(), digest_size=8).digest() for name in ids)
    return np.frombuffer(digests, ">u8").astype(np.uint64)


def shuffled(places: np.ndarray, seed: int) -> np.ndarray:
    """uint64 [n]: the sort keys permuted by a seed (a bijection: splitmix64, Steele et al. 2014)."""
    start = (seed * _GOLDEN + _GOLDEN) & _ALL_64
    value = places ^ np.uint64(int(_mixed(np.array([start], np.uint64))[0]))
    return _mixed(value)


def _mixed(value: np.ndarray) -> np.ndarray:
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    value ^= value >> np.uint64(31)
    return value


def lowest(keys: np.ndarray, count: int) -> np.ndarray:
    """Indices of the `count` smallest keys, smallest first; ties by index. int64 [count]. keys: [n]."""
    if count >= len(keys):
        return np.argsort(keys, kind="stable")
    limit = np.partition(keys, count - 1)[count - 1]
    below = np.flatnonzero(keys < limit)
    equal = np.flatnonzero(keys == limit)[: count - len(below)]
    chosen = np.sort(np.concatenate([below, equal]))
    return chosen[np.argsort(keys[chosen], kind="stable")]


def check_dimensions(dimensions: int, where: str) -> None:
    """Raises DataError, which names `where`, for vectors whose dot products would not be exact."""
    if not 1 <= dimensions <= MAX_DIMENSIONS:
        raise DataError(f"{where} should hold vectors of 1 to {MAX_DIMENSIONS:,} numbers", got=f"{dimensions:,}")
