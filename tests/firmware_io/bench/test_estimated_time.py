"""The estimated time of an emulated board: of one chip, between bounds, and never of another core."""

from dataclasses import replace

import pytest

from firmware_io import board as boards
from firmware_io.bench import estimated_time


def test_an_emulated_cortex_m4f_stands_for_its_chip():
    estimate = estimated_time.of(boards.load("qemu-an386"), 1_200_000)
    assert estimate.chip == "STM32L4R5 at 120 MHz" and estimate.us == pytest.approx(12_000)
    assert (estimate.interval.low, estimate.interval.high) == pytest.approx((10_000, 16_000))


def test_a_physical_board_and_an_unknown_core_have_none():
    board = boards.load("qemu-an386")
    assert estimated_time.of(replace(board, how="measured"), 1e6) is None
    assert estimated_time.of(replace(board, core="Cortex-M99"), 1e6) is None
