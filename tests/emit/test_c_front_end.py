"""The front end in C, compiled for this computer: the integers of its definition, for other specifications too."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from edgekws.emit.c import front_end
from edgekws.features import fixed
from edgekws.features.presets import SWW01_FIXED_POINT
from edgekws.features.spec import FeatureSpec
from firmware_io.build import host_cc
from tests.features.test_fixed import OTHERS, STREAM, shapes

_RUN = """
_Static_assert(EKW_FRONTEND_POINTS > 256 || sizeof(ekw_frontend) + sizeof(ekw_frontend_work) <= 3300, "RAM");
int32_t ekw_host_rows(const int16_t *samples, int32_t count, int32_t block, int8_t *rows);
int32_t ekw_host_rows(const int16_t *samples, int32_t count, int32_t block, int8_t *rows) {
    ekw_frontend state;
    ekw_frontend_work work;
    int32_t number = 0;
    ekw_frontend_start(&state, EKW_FRONTEND_PEAK);
    for (; count > 0; count -= block) {
        int32_t there = count < block ? count : block;
        while (ekw_frontend_push(&state, &samples, &there, &work, rows + number * EKW_FRONTEND_COEFFICIENTS)) {
            number++;
        }
    }
    return number;
}
"""
APART = replace(STREAM, window_samples=100, hop_samples=301, rounding="toward-zero")
SPECS = (STREAM, *OTHERS, APART, SWW01_FIXED_POINT)

pytestmark = pytest.mark.skipif(not host_cc.has_compiler(), reason="no C compiler for this computer")


def rows_of(spec: FeatureSpec, options: host_cc.Options) -> Callable[[np.ndarray, int], np.ndarray]:
    """(int16 [k], samples of a block) -> int8 [rows, coefficients], by the C."""
    source = front_end.definitions(spec) + _RUN
    library = host_cc.library({"front_end.c": source.encode()}, None, options)

    def run(samples: np.ndarray, block: int) -> np.ndarray:
        rows = np.zeros((len(samples) // spec.hop_samples + 1, spec.coefficients), np.int8)
        addresses = [ctypes.c_void_p(array.ctypes.data) for array in (samples, rows)]
        return rows[: library.ekw_host_rows(addresses[0], len(samples), block, addresses[1])]

    return run


def check(spec: FeatureSpec, options: host_cc.Options) -> None:
    samples = np.concatenate(shapes(spec.clip_samples, np.random.default_rng(17)))
    expected = fixed.FrontEnd(spec).push(samples)
    run = rows_of(spec, options)
    for block in (len(samples), 77):
        np.testing.assert_array_equal(run(samples, block), expected)


def test_every_integer_is_that_of_the_definition() -> None:
    check(STREAM, ("-O1", *host_cc.PORTABLE))


@pytest.mark.slow
@pytest.mark.parametrize("core", ["", "-DEKW_FRONTEND_SHORT"], ids=["long", "short"])
@pytest.mark.parametrize("spec", SPECS, ids=["512", "1024", "256", "apart", "sww01"])
def test_nothing_is_undefined_in_any_specification(spec: FeatureSpec, core: str) -> None:
    check(spec, ("-O1", "-fsanitize=undefined", "-fno-sanitize-recover", *host_cc.PORTABLE, *([core] if core else [])))


def test_tables_fit_their_budget() -> None:
    assert front_end.table_bytes(FeatureSpec(arithmetic="fixed", level="stream")) <= 2_500


def test_the_best_code_of_this_computer_has_the_integers_of_a_radix_2_stage() -> None:
    samples = np.concatenate(shapes(SWW01_FIXED_POINT.clip_samples, np.random.default_rng(17)))[: 1 << 15]
    run = rows_of(SWW01_FIXED_POINT, None)
    np.testing.assert_array_equal(run(samples, 512), fixed.FrontEnd(SWW01_FIXED_POINT).push(samples))
