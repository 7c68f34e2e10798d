"""Building: sizes, budgets, and what happens when it cannot be done."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from edgekws.emit.c import emit, memory
from edgekws.errors import ArtifactError, BoardError
from edgekws.files import sha256_file
from edgekws.graph.ir import Graph
from firmware_io import board, build, tools

M4, CORE = board.load("qemu-an386"), "dsp"
needs_arm = pytest.mark.skipif(
    shutil.which(M4.compiler) is None, reason=f"{M4.compiler} is missing: {tools.install_hint(M4.compiler)}"
)


@pytest.mark.parametrize("name", board.names())
def test_every_board_builds_repeatably(name: str, graph: Graph, tmp_path: Path) -> None:
    target = board.load(name)
    if shutil.which(target.compiler) is None:
        pytest.skip(f"{target.compiler} is missing: {tools.install_hint(target.compiler)}")
    first = build.build(target, emit(graph), tmp_path / "a.elf")
    second = build.build(target, emit(graph), tmp_path / "b.elf")
    assert first.sha256 == second.sha256 == sha256_file(tmp_path / "b.elf")
    assert first.flash_bytes > graph.parameter_bytes
    assert first.ram_bytes > memory(graph).tensors + 490
    if target.flash_bytes:
        assert first.flash_bytes <= target.flash_bytes
        assert first.ram_bytes <= target.ram_bytes
    assert not list(tmp_path.glob("*.partial"))


@pytest.mark.parametrize("name", [name for name in board.names() if board.load(name).energy_edge])
def test_energy_mode_is_built_with_its_own_baud_rate(name: str, tmp_path: Path) -> None:
    target = replace(board.load(name), energy_baud=19_200)
    if shutil.which(target.compiler) is None:
        pytest.skip(f"{target.compiler} is missing: {tools.install_hint(target.compiler)}")
    for energy, words in ((False, {"-DEKW_ENERGY_MODE=0u", f"-DEKW_BAUD={target.baud}u"}), (True, ENERGY_WORDS)):
        lines = build.commands(target, tmp_path, tmp_path / "fw.elf", energy)
        assert all(words <= set(line) for line in lines)


ENERGY_WORDS = {"-DEKW_ENERGY_MODE=1u", "-DEKW_BAUD=19200u"}
LOWEST_BAUD, HIGHEST_BAUD = 2400, 921_600


@pytest.mark.parametrize("name", ["nucleo-l4r5zi", "lp-mspm0g5187"])
@pytest.mark.parametrize("baud", [LOWEST_BAUD, HIGHEST_BAUD])
def test_baud_rates_in_reach_of_the_boards(name: str, baud: int, graph: Graph, tmp_path: Path) -> None:
    """The drivers have static assertions about their dividers."""
    target = replace(board.load(name), baud=baud, energy_baud=baud)
    if shutil.which(target.compiler) is None:
        pytest.skip(f"{target.compiler} is missing: {tools.install_hint(target.compiler)}")
    assert build.build(target, emit(graph), tmp_path / "fw.elf", energy=True).flash_bytes > 0


ARCHITECTURE = {  # patterns of what `readelf -A` calls the code that a board can run
    "qemu-an385-v6m": "v6S-M",
    "lp-mspm0g5187": "v6S-M",
    "qemu-an385": "v7",
    "nucleo-l4r5zi": "v7E-M",
    "qemu-riscv32": "rv32i.*",
}


@pytest.mark.parametrize("name", ARCHITECTURE)
def test_the_whole_image_is_for_the_core(name: str, graph: Graph, tmp_path: Path) -> None:
    """What the linker took from libgcc included: one object of another architecture would raise the attribute."""
    target = board.load(name)
    readelf = target.compiler.removesuffix("gcc") + "readelf"
    if shutil.which(target.compiler) is None or shutil.which(readelf) is None:
        pytest.skip(f"{target.compiler} is missing: {tools.install_hint(target.compiler)}")
    firmware = build.build(target, emit(graph), tmp_path / "fw.elf")
    attributes = subprocess.run([readelf, "-A", str(firmware.elf)], capture_output=True, text=True, check=True).stdout
    tag = "Tag_RISCV_arch" if "RISCV" in attributes else "Tag_CPU_arch"
    (architecture,) = re.findall(rf'{tag}: "?([\w-]+)', attributes)
    assert re.fullmatch(ARCHITECTURE[name], architecture)


@needs_arm
def test_sizes_grow_with_the_model(graph_factory: Callable[..., Graph], tmp_path: Path) -> None:
    graphs = [graph_factory(channels=channels) for channels in (8, 24)]
    small, large = (build.build(M4, emit(graph), tmp_path / "fw.elf") for graph in graphs)
    weights = graphs[1].parameter_bytes - graphs[0].parameter_bytes
    assert abs(large.flash_bytes - small.flash_bytes - weights) < 64  # alignment of the arrays
    plans = [memory(graph).arena(CORE) for graph in graphs]
    assert abs(large.ram_bytes - small.ram_bytes - (plans[1] - plans[0])) < 8  # alignment of the arena


@needs_arm
@pytest.mark.parametrize(("field", "region"), [("flash_bytes", "FLASH"), ("ram_bytes", "RAM")])
def test_over_budget_names_the_sizes_and_keeps_the_old_file(
    field: str, region: str, graph: Graph, tmp_path: Path
) -> None:
    fits = build.build(M4, emit(graph), tmp_path / "fw.elf")
    exact = replace(M4, **{field: getattr(fits, field)})
    kept = build.build(exact, emit(graph), tmp_path / "fw.elf")
    assert getattr(kept, field) == getattr(fits, field)
    with pytest.raises(BoardError, match=rf"\d+ bytes of {region} where there are 4096 \(\d+ too many\)"):
        build.build(replace(M4, **{field: 4096}), emit(graph), tmp_path / "fw.elf")
    assert sha256_file(tmp_path / "fw.elf") == kept.sha256


def test_missing_compiler_comes_with_a_hint(graph: Graph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BoardError, match=r"needs arm-none-eabi-gcc.*What to do"):
        build.build(M4, emit(graph), tmp_path / "fw.elf")
    assert not (tmp_path / "fw.elf").exists()


def test_errors_of_the_compiler_are_shown(graph: Graph, tmp_path: Path) -> None:
    model = emit(graph)
    broken = {**model, "model.c": model["model.c"] + b"\nint broken(void) { return nothing_here; }\n"}
    with pytest.raises(BoardError, match=r"model\.c:\d+:\d+: error: .nothing_here. undeclared"):
        build.build(board.load("host"), broken, tmp_path / "fw")
    missing = {**model, "model.c": model["model.c"].replace(b" ekw_linear_u8_w8_shift(&", b" ekw_linear_u9(&")}
    with pytest.raises(BoardError, match="ekw_linear_u9"):
        build.build(board.load("host"), missing, tmp_path / "fw")
    assert not (tmp_path / "fw").exists()


def test_an_incomplete_model_is_refused(graph: Graph, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"no model\.c"):
        build.build(board.load("host"), {"model.h": emit(graph)["model.h"]}, tmp_path / "fw")
