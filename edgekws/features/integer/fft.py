"""A complex FFT and its split into the spectrum of real samples, in int32 data and Q15 constants.

Decimation in frequency: one radix-2 stage where log2 of the points is odd, then radix-4 stages. Each product with a
twiddle factor halves its value (`arithmetic.mul` of Q15), so legs without one are shifted right by one; the last stage
has none, and does not shift. The result is the DFT divided by 2^halvings.

See: J. W. Cooley, J. W. Tukey, Mathematics of Computation 19 (1965), 297-301; for the split of a real sequence,
W. H. Press et al., Numerical Recipes, 3rd edition, section 12.3.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgekws.features.integer.arithmetic import mul, q15

Complex = tuple[np.ndarray, np.ndarray]
"""Real and imaginary parts, int32 of one shape."""


@dataclass(frozen=True, eq=False)
class Stage:
    """Butterflies of blocks of `length` points. cosine, sine: int16 [radix - 1, length / radix], of the legs 1 on."""

    radix: int
    length: int
    cosine: np.ndarray
    sine: np.ndarray

    @property
    def is_last(self) -> bool:
        """Whether it has neither twiddle factors nor a shift."""
        return self.length == self.radix


@dataclass(frozen=True, eq=False)
class Transform:
    """An FFT of `points` complex points. order: the frequency at each place of the result, int [points]."""

    points: int
    stages: tuple[Stage, ...]
    order: np.ndarray

    @property
    def halvings(self) -> int:
        """The result is the DFT divided by 2 to this power."""
        return len(self.stages) - 1


def transform(points: int) -> Transform:
    """The stages of an FFT of 4 to 2048 points, a power of 2."""
    stages, length, order = [], points, np.zeros(1, np.intp)
    while length > 1:
        radix = 4 if (length.bit_length() - 1) % 2 == 0 else 2
        angle = 2 * np.pi / length * np.outer(np.arange(1, radix), np.arange(length // radix))
        stages.append(Stage(radix, length, q15(np.cos(angle)), q15(np.sin(angle))))
        length //= radix
    for stage in reversed(stages):
        order = (stage.radix * order[None, :] + np.arange(stage.radix)[:, None]).reshape(-1)
    return Transform(points, tuple(stages), order)


def run(plan: Transform, real: np.ndarray, imaginary: np.ndarray) -> Complex:
    """int32 [rows, points] -> DFT / 2^halvings, int32 [rows, points], frequencies 0 to points - 1."""
    rows = len(real)
    for stage in plan.stages:
        shape = (rows, plan.points // stage.length, stage.radix, stage.length // stage.radix)
        real, imaginary = _stage(stage, real.reshape(shape), imaginary.reshape(shape))
    sorted_places = np.argsort(plan.order)
    return real.reshape(rows, -1)[:, sorted_places], imaginary.reshape(rows, -1)[:, sorted_places]


def _stage(stage: Stage, real: np.ndarray, imaginary: np.ndarray) -> Complex:
    """int32 [rows, blocks, radix, length / radix]"""
    legs = (_radix4 if stage.radix == 4 else _radix2)(real, imaginary)
    if stage.is_last:
        return np.stack([leg[0] for leg in legs], axis=2), np.stack([leg[1] for leg in legs], axis=2)
    turned = [(legs[0][0] >> 1, legs[0][1] >> 1)]
    turned += [_turned(leg, stage.cosine[m], stage.sine[m]) for m, leg in enumerate(legs[1:])]
    return np.stack([leg[0] for leg in turned], axis=2), np.stack([leg[1] for leg in turned], axis=2)


def _radix4(real: np.ndarray, imaginary: np.ndarray) -> list[Complex]:
    (a, b, c, d), (e, f, g, h) = np.moveaxis(real, 2, 0), np.moveaxis(imaginary, 2, 0)
    sum_r, difference_r, other_r, turn_r = a + c, a - c, b + d, b - d
    sum_i, difference_i, other_i, turn_i = e + g, e - g, f + h, f - h
    return [
        (sum_r + other_r, sum_i + other_i),
        (difference_r + turn_i, difference_i - turn_r),
        (sum_r - other_r, sum_i - other_i),
        (difference_r - turn_i, difference_i + turn_r),
    ]


def _radix2(real: np.ndarray, imaginary: np.ndarray) -> list[Complex]:
    (a, b), (e, f) = np.moveaxis(real, 2, 0), np.moveaxis(imaginary, 2, 0)
    return [(a + b, e + f), (a - b, e - f)]


def _turned(leg: Complex, cosine: np.ndarray, sine: np.ndarray) -> Complex:
    """(re + i im) (cos - i sin) / 2; where the angle is 0, at place 0, an exact half instead of a product."""
    real, imaginary = product(leg[0], leg[1], cosine, sine)
    real[..., 0], imaginary[..., 0] = leg[0][..., 0] >> 1, leg[1][..., 0] >> 1
    return real, imaginary


def product(real: np.ndarray, imaginary: np.ndarray, cosine: np.ndarray, sine: np.ndarray) -> Complex:
    """(re + i im) (cos - i sin) / 2: four products, each rounded down before they are added or subtracted."""
    return (mul(real, cosine) + mul(imaginary, sine), mul(imaginary, cosine) - mul(real, sine))


def split(real: np.ndarray, imaginary: np.ndarray, bins: np.ndarray) -> Complex:
    """Spectrum of 2 M real samples from the FFT of M points whose real parts were the even samples, imaginary the odd.

    real, imaginary: int32 [rows, M]; bins: 1 to M - 1, int [k] -> int32 [rows, k], in the units of the FFT.
    """
    points = real.shape[1]
    a, b, c, d = real[:, bins], imaginary[:, bins], real[:, points - bins], imaginary[:, points - bins]
    angle = np.pi / points * bins
    odd_r, odd_i = product(b + d, c - a, q15(np.cos(angle)), q15(np.sin(angle)))
    return ((a + c) >> 1) + odd_r, ((b - d) >> 1) + odd_i
