"""A report is about the firmware that ran: the bench compares the build id of the board with that of its image."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekws.cli.boards import measure as command
from edgekws.cli.boards.measure import Options
from edgekws.emit.c import emit
from edgekws.errors import ArtifactError, BoardError, ConfigError
from edgekws.graph import interp, io
from edgekws.graph.ir import Graph
from firmware_io import board as boards
from firmware_io import build, flash
from firmware_io.bench import vectors
from firmware_io.bench.modes import Vectors
from tests.firmware_io.devices.fake_device import FakeDevice, on_pty
from tests.firmware_io.firmware.lines import needs_for
from tests.firmware_io.serving.served import served as serving

BOARD = "qemu-an386"


@pytest.fixture
def options(graph: Graph, random_features: Callable[..., np.ndarray], tmp_path: Path) -> Options:
    needs_for(boards.load(BOARD))
    io.save(graph, tmp_path / "graph.npz")
    features = random_features(3)
    labels = interp.run(graph, features).argmax(axis=1)
    clips = Vectors("clips", ("a", "b", "c"), features, labels)
    vectors.write(tmp_path / "vectors.npz", clips, graph.features)
    return Options(board=BOARD, out=tmp_path, vectors=tmp_path / "vectors.npz", modes=("accuracy",))


@contextmanager
def served(graph: Graph, folder: Path, min_ram: bool = False) -> Iterator[str]:
    """The URL of an emulated board that runs a firmware built elsewhere."""
    board = boards.load(BOARD)
    firmware = build.build(board, emit(graph, min_ram), folder / "served" / "firmware.elf")
    with flash.load(board.flash_tool).start(board, firmware.elf) as url:
        yield url.replace("socket://", "tcp:")


def report(options: Options) -> Any:
    return json.loads((options.folder / "latest" / "report.json").read_text())


def test_the_firmware_of_another_plan_is_refused(graph: Graph, options: Options, tmp_path: Path) -> None:
    """The default firmware on the line, and --min-ram: a report would have the RAM of one and the answers of both."""
    refused = pytest.raises(BoardError, match=r"should run firmware\.elf, the firmware of this bench.*Got: build id")
    with served(graph, tmp_path) as port, refused:
        command.measure(replace(options, port=port, min_ram=True))
    assert not options.folder.exists()


@pytest.mark.slow
def test_a_board_of_another_plan_on_a_pseudo_terminal_is_refused(options: Options, tmp_path: Path) -> None:
    """The same as a user has it, with two commands: what `serve-board` runs is not what --min-ram builds."""
    with serving(tmp_path, BOARD, "--out", tmp_path) as server:
        port = server.addresses["serial line"].removeprefix("serial:")
        words = [
            sys.executable,
            "-m",
            "edgekws",
            "bench",
            "--board",
            BOARD,
            "--out",
            str(tmp_path),
            "--mode",
            "accuracy",
        ]
        words += ["--vectors", str(options.vectors), "--port", f"serial:{port}"]
        refused = subprocess.run([*words, "--min-ram"], check=False, capture_output=True, text=True)
        accepted = subprocess.run(words, check=False, capture_output=True, text=True)
    assert refused.returncode == BoardError.exit_code and "Got: build id" in " ".join(refused.stderr.split())
    assert accepted.returncode == 0 and " verified" in accepted.stdout, accepted.stderr


def test_another_bench_that_builds_meanwhile_changes_no_figure(
    graph: Graph, options: Options, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two benches with the same --out: the second one builds after the first has built and before it has started."""
    original, board = build.build, boards.load(BOARD)

    def exchanged(*arguments: Any, **named: Any) -> build.Firmware:
        firmware = original(*arguments, **named)
        original(board, emit(graph, min_ram=True), firmware.elf)
        return firmware

    monkeypatch.setattr(build, "build", exchanged)
    with pytest.raises(BoardError, match="Got: build id"):
        command.measure(options)
    assert not options.folder.exists()


def test_the_report_names_the_build_that_ran(graph: Graph, options: Options, tmp_path: Path) -> None:
    with served(graph, tmp_path) as port:
        command.measure(replace(options, port=port))
    document, built = report(options), build.existing(boards.load(BOARD), tmp_path / "served" / "firmware.elf")
    assert document["build"] == {"status": "verified", "id": built.build_id, "expected": built.build_id}
    assert document["manifests"]["firmware"]["inputs"]["firmware"] == built.sha256


def test_an_image_that_was_flashed_is_benched_as_it_is(graph: Graph, options: Options, tmp_path: Path) -> None:
    """Its plan is not that of the options, and nothing is built."""
    with served(graph, tmp_path, min_ram=True) as port:
        image = tmp_path / "served" / "firmware.elf"
        command.measure(replace(options, port=port, image=image))
        document = report(options)
        with pytest.raises(BoardError, match="Got: build id"):
            command.measure(replace(options, port=port))
    used = build.existing(boards.load(BOARD), image)
    memory = {row["name"]: row["used"] for row in document["memory"]}
    assert set(memory.values()) == {used.flash_bytes, used.ram_bytes}
    assert document["manifests"]["firmware"]["recipe"] == {"image": "firmware.elf"}


def test_the_firmware_of_others_is_benched_and_not_claimed(graph: Graph, options: Options) -> None:
    device = FakeDevice(graph)
    with on_pty(device) as port:
        command.measure(replace(options, port=f"serial:{port}"))
    document = report(options)
    assert document["build"]["status"] == "unverified" and document["build"]["id"] == ""
    assert document["memory"] == [] and "firmware" not in document["manifests"] and document["verdict"]["valid"]
    assert any(warning.startswith("build unverified") for warning in document["warnings"])
    for name in ("report.md", "report.html"):
        assert "BUILD UNVERIFIED" in (options.folder / "latest" / name).read_text()


def test_an_image_that_was_changed_is_refused(graph: Graph, options: Options, tmp_path: Path) -> None:
    image = build.build(boards.load(BOARD), emit(graph), tmp_path / "firmware.elf").elf
    content = bytearray(image.read_bytes())
    content[-1] ^= 1
    image.write_bytes(content)
    with pytest.raises(ArtifactError, match="was changed after it was built"):
        command.measure(replace(options, image=image))
    with pytest.raises(ConfigError, match=r"--image is the firmware.*--min-ram"):
        command.measure(replace(options, image=image, min_ram=True))
    with pytest.raises(ArtifactError, match="there is no file"):
        command.measure(replace(options, image=tmp_path / "none.elf"))
