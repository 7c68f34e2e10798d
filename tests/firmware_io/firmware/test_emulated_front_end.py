"""The front end's C on emulated cores: every int8 of it is that of the definition."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import _front_end
from benchmarks.front_end_instructions import BARS, SPEC
from edgekws.data.dataset import Dataset
from edgekws.features import fixed
from edgekws.features.spec import FeatureSpec
from firmware_io import board as boards
from firmware_io import tools

OTHERS = (
    replace(SPEC, fft_samples=1024, window_samples=1024, hop_samples=512, high_hz=8_000.0),
    replace(SPEC, fft_samples=2048, window_samples=2000, rounding="toward-zero"),
    replace(SPEC, fft_samples=256, window_samples=202, hop_samples=161, mel_bands=23, coefficients=13,
            input_scale=(0.1,) * 13, input_zero_point=(3,) * 13),
)  # fmt: skip


def check(name: str, spec: FeatureSpec, samples: np.ndarray, folder: Path, options: tuple[str, ...] = ()) -> None:
    board = boards.load(name)
    for tool in (board.compiler, board.qemu_program):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is missing: {tools.install_hint(tool)}")
    made = _front_end.run(board, _front_end.built(board, spec, folder, options), spec, samples, block=377)
    np.testing.assert_array_equal(made.rows, fixed.FrontEnd(spec).push(samples))


def test_rows_on_an_m4(tmp_path: Path) -> None:
    check("qemu-an386", SPEC, np.concatenate(_front_end.extremes(900)), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", BARS)
def test_a_minute_of_recordings(name: str, prepared: Dataset, tmp_path: Path) -> None:
    """61 s: 0.6 M samples fit into the memory of an emulated board."""
    clips = np.concatenate(np.asarray(prepared.splits["train"].samples[:61]))
    for number, part in enumerate(np.split(clips, 4)):
        check(name, SPEC, part, tmp_path / str(number))


@pytest.mark.slow
@pytest.mark.parametrize("name", BARS)
@pytest.mark.parametrize("option", ["-O2", "-Os", "-O3"])
def test_extremes_on_every_core(name: str, option: str, tmp_path: Path) -> None:
    check(name, SPEC, np.concatenate(_front_end.extremes(2_000)), tmp_path, (option,))


@pytest.mark.slow
@pytest.mark.parametrize("name", BARS)
@pytest.mark.parametrize("spec", OTHERS, ids=["1024", "2048", "256"])
def test_other_specifications_on_every_core(name: str, spec: FeatureSpec, tmp_path: Path) -> None:
    check(name, spec, np.concatenate(_front_end.extremes(4_100)), tmp_path)
