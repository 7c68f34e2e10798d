"""What a bench claims of the firmware: only what the device says that it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgekws.errors import BoardError
from edgekws.graph.ir import Graph
from firmware_io import board as boards
from firmware_io.bench import Plan, Vectors, bench
from firmware_io.bench.build_check import BuildCheck
from firmware_io.bench.run import BenchRun
from firmware_io.build import Firmware
from firmware_io.protocol.session import Session
from tests.firmware_io.devices.fake_device import Direct, FakeDevice

UNVERIFIED = "build unverified: the device reports no build id, so no flash, RAM and hash of its firmware are claimed"


@pytest.fixture
def vectors(random_features: Callable[..., np.ndarray]) -> Vectors:
    return Vectors("six", tuple(f"clip{i}" for i in range(6)), random_features(6))


BUILT = Firmware(Path("firmware.elf"), "f" * 64, 30_000, 100, 20_000, "5eed" * 8)


def bench_of(graph: Graph, vectors: Vectors, device: FakeDevice, firmware: Firmware | None = BUILT) -> BenchRun:
    board, plan = boards.load("nucleo-l4r5zi"), Plan(("accuracy",))
    return bench(Session(Direct(device, chunk=4096)), board, graph, vectors, plan, firmware)


def test_a_firmware_is_claimed_when_the_board_says_that_it_runs_it(graph: Graph, vectors: Vectors) -> None:
    result = bench_of(graph, vectors, FakeDevice(graph, check=True, build=BUILT.build_id))
    assert result.valid and {figure.how for figure in result.measurements()} == {"measured"}
    assert result.build == BuildCheck("verified", BUILT.build_id, BUILT.build_id)
    assert result.firmware == BUILT and result.warnings == ()
    assert result.to_json()["build"] == {"status": "verified", "id": BUILT.build_id, "expected": BUILT.build_id}


@pytest.mark.parametrize("check", [False, True])
def test_nothing_is_claimed_of_a_firmware_that_says_no_build_id(graph: Graph, vectors: Vectors, check: bool) -> None:
    result = bench_of(graph, vectors, FakeDevice(graph, check=check))
    assert result.valid and result.build == BuildCheck("unverified", "", BUILT.build_id)
    assert result.firmware is None and result.to_json()["firmware"] is None
    assert result.warnings[0] == UNVERIFIED


@pytest.mark.parametrize("expected", ["", "abcd" * 8])
def test_another_build_is_refused_before_anything_is_measured(graph: Graph, vectors: Vectors, expected: str) -> None:
    device = FakeDevice(graph, check=True, build="0123" * 8)
    message = rf"firmware\.elf.*, build id {expected or 'none'}.*Got: build id (0123){{8}}.*edgekws flash"
    with pytest.raises(BoardError, match=message):
        bench_of(graph, vectors, device, replace(BUILT, build_id=expected))
    assert device.inferences == 0


def test_without_a_firmware_to_compare_with_the_id_is_kept(graph: Graph, vectors: Vectors) -> None:
    result = bench_of(graph, vectors, FakeDevice(graph, check=True, build="0123" * 8), firmware=None)
    assert result.valid and result.build == BuildCheck("unknown", "0123" * 8) and result.firmware is None


def test_a_board_that_is_flashed_meanwhile_ends_the_run(graph: Graph, vectors: Vectors) -> None:
    device = FakeDevice(graph, check=True, build=BUILT.build_id)
    classify = device._infer

    def flashed(n: int, w: int) -> str:
        if device.inferences == 3:
            device.build = "0123" * 8
        return classify(n, w)

    device._infer = flashed  # type: ignore[method-assign]
    result = bench_of(graph, vectors, device)
    assert not result.valid and "one firmware from start to end" in result.incomplete
    assert result.accuracy.n == 3 and result.transfers.repeated == 0
