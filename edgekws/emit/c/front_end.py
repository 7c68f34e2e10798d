"""C for the fixed-point front end of one FeatureSpec: sizes and tables of firmware/kernels/frontend/frontend.h.

Tables are Q15 where fixed.py has them so. Those of the FFT are shared: cosines and sines of pi * k / points serve the
split of the spectrum, and as twiddle factors of legs 1 and 2; leg 3 has its own. The window is symmetric: its first
half is stored.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from edgekws.emit.c.text import array
from edgekws.features import sww01_fixed
from edgekws.features.fixed_plan import Plan, plan
from edgekws.features.integer.arithmetic import LOG, SQRT, q15
from edgekws.features.spec import FeatureSpec


def definitions(spec: FeatureSpec) -> str:
    """The front end of `spec` in C: macros, tables, then the functions. Raises ConfigError as fixed.check."""
    macros = "".join(f"#define EKW_FRONTEND_{name} {value}\n" for name, value in sizes(spec).items())
    constants = "".join(
        _aligned(array(_TYPES[values.dtype.name], f"ekw_frontend_{name}", values, values.shape))
        for name, values in tables(spec).items()
    )
    return f'#include <stdint.h>\n\n{macros}\n{constants}\n#include "kernels/frontend/frontend.h"\n'


def sizes(spec: FeatureSpec) -> Mapping[str, int]:
    """The macros, without EKW_FRONTEND_."""
    p = plan(spec)
    points = p.transform.points
    shared = {
        "WINDOW": spec.window_samples,
        "HOP": spec.hop_samples,
        "POINTS": points,
        "LOG2_POINTS": points.bit_length() - 1,
        "DATA_SHIFT": p.data_shift,
        "GUARD": p.guard,
        "FIRST_BIN": p.bins[0],
        "FIRST_PLACE": _reversed(p.bins[0], points),
        "FIRST_PARTNER": _reversed(points - p.bins[0], points),
        "BINS": len(p.band),
        "BANDS": spec.mel_bands,
        "COEFFICIENTS": spec.coefficients,
        "UNIT": p.mel_unit,
        "FLOOR_FACTOR": p.floor_factor,
        "FLOOR_SHIFT": p.floor_shift,
        "LOG_SHIFT": p.log_shift,
        "TRUNCATES": int(spec.rounding == "toward-zero"),
        "PEAK": spec.stream_peak,
    }
    if spec.definition == "mfcc":
        return shared
    only = {"LOG_MEL": 1, "SCALE_BITS": sww01_fixed.scale_bits(spec.fft_samples), "TOP": sww01_fixed.TOP}
    return {key: shared[key] for key in shared if key not in _OF_MFCC} | only | {"LEVEL": p.floor_factor}


def tables(spec: FeatureSpec) -> Mapping[str, np.ndarray]:
    """The tables, without ekw_frontend_; integers of the C type that they have."""
    p = plan(spec)
    made = {
        "window": p.window[: spec.window_samples // 2 + 1],
        "turns": _turns(p),
        "third": _third(p),
        "roots": SQRT.astype(np.uint16),
        "rises": np.pad(p.rise, (0, -len(p.rise) % _VECTOR)),
        "edges": _edges(p, spec.mel_bands),
        "curve": LOG.astype(np.int16),
        "cosines": _cosines(p),
        "mult": p.multiplier,
        "shift": p.right_shift.astype(np.uint8),
        "zero": p.zero_point.astype(np.int16),
    }
    return made if spec.definition == "mfcc" else {key: made[key] for key in made if key not in _OF_MFCC}


def table_bytes(spec: FeatureSpec) -> int:
    """Flash that the tables take."""
    return sum(values.nbytes for values in tables(spec).values())


_OF_MFCC = {"GUARD", "FLOOR_FACTOR", "FLOOR_SHIFT", "roots", "cosines"}
_VECTOR = 4
"""Bins and bands that one instruction may read."""
_TYPES = {"int16": "int16_t", "uint16": "uint16_t", "uint8": "uint8_t"}


def _aligned(declaration: str) -> str:
    """Two int16 are read as a word."""
    return declaration.replace("static const", "static const _Alignas(4)")


def _reversed(number: int, points: int) -> int:
    width = points.bit_length() - 1
    return int(f"{number:0{width}b}"[::-1], 2)


def _angles(number: np.ndarray, circle: int) -> np.ndarray:
    """Cosine and sine of 2 pi number / circle, int16 [n, 2]."""
    angle = 2 * np.pi * number / circle
    return np.stack([q15(np.cos(angle)), q15(np.sin(angle))], axis=1)


def _turns(p: Plan) -> np.ndarray:
    """Half a turn of the FFT, and what vectors read beyond the last bin."""
    half, bins = p.transform.points // 2, len(p.band)
    if not p.dct.size:
        return _angles(np.arange(2 * half), 4 * half)
    read = p.bins[0] + bins + -bins % _VECTOR
    return _angles(np.arange(max(half, read if p.bins[1] < half else 0)), 2 * p.transform.points)


def _edges(p: Plan, bands: int) -> np.ndarray:
    """The first bin of each interval between the middles of two bands, and the end of the last; then that again."""
    counts = np.bincount(p.band, minlength=bands + 1)
    edges = p.bins[0] + np.concatenate([[0], np.cumsum(counts)])
    return np.pad(edges, (0, -(bands + 1) % _VECTOR), mode="edge").astype(np.uint16)


def _third(p: Plan) -> np.ndarray:
    block = next(stage.length for stage in p.transform.stages if stage.radix == 4)
    return _angles(3 * np.arange(block // 4), block)


def _cosines(p: Plan) -> np.ndarray:
    """int16 [coefficients, pairs of bands, and 0 up to an even number]."""
    half = (len(p.dct) + 1) // 2
    return np.pad(p.dct[:half].T, ((0, 0), (0, half % 2)))
