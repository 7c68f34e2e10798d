"""Kernels on an emulated core, called from Python: hundreds of nodes in one run of QEMU.

The calls, their nodes and tensors are laid out in a piece of the board's memory, as the C sees them; the image of
kernel_runner.c executes them and writes the memory back.
"""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgekws.emit import c
from edgekws.graph.ir import Node
from firmware_io import build, tools
from firmware_io.board import Board
from firmware_io.build.host_library import constants, general_words

MEMORY = 0x2100_0000
"""Of the MPS2 (PSRAM) and MPS3 (SRAM) boards, beyond what the linker script uses."""
_WORK, _CALL = struct.Struct("<6I"), struct.Struct("<8I")
_GUARD = b"\xa5" * 64
_KERNELS = list(c.every_kernel())


@dataclass(frozen=True)
class Call:
    """inputs: int8 or uint8 [height, width, channels] each. in_place: the output goes where the first input is."""

    node: Node
    inputs: tuple[np.ndarray, ...]
    in_place: bool = False
    min_ram: bool = False


@dataclass(frozen=True)
class Done:
    """output: int32 of the node's output shape. instructions: with the clock's own, about 50."""

    output: np.ndarray
    instructions: float
    kept_guards: bool


class Memory:
    """Bytes at MEMORY, with their addresses."""

    def __init__(self, first: int) -> None:
        self.content = bytearray(first)

    def put(self, content: bytes) -> int:
        """Address of a copy, aligned, a guard behind it."""
        self.content.extend(bytes(-len(self.content) % 8))
        at = len(self.content)
        self.content.extend(content + _GUARD)
        return MEMORY + at


def build_runner(board: Board, folder: Path, options: Sequence[str] = ()) -> Path:
    """The image with every kernel for the core of `board`."""
    (folder / "kernels.inc").write_text(_kernels_source())
    elf, port = folder / "runner.elf", [*map(str, build.sources(board.port))]
    large = {"EKW_FLASH_BYTES": 1 << 19, "EKW_RAM_BYTES": 1 << 19, **board.symbols, "EKW_STACK_BYTES": 8192}
    line = build.compile_line(board, [str(Path(__file__).with_name("kernel_runner.c")), *port], large)
    more = [f"-I{folder}", f"-DEKW_WORK_ADDRESS=0x{MEMORY:x}u", *options]
    tools.run([*line, *more, "-o", str(elf)], "the kernels should compile", "see the message")
    return elf


def execute(board: Board, elf: Path, calls: Sequence[Call], core: str, folder: Path) -> list[Done]:
    memory = Memory(_WORK.size)
    rows = [_lay_out(memory, call, core) for call in calls]
    first = memory.put(b"".join(_CALL.pack(*row[:8]) for row in rows))
    result = folder / "memory.bin"
    name = str(result).encode()
    place = memory.put(name + b"\0")
    memory.content[: _WORK.size] = _WORK.pack(len(rows), first, place, len(name), MEMORY, len(memory.content))
    (folder / "work.bin").write_bytes(memory.content)
    subprocess.run(_qemu(board, elf, folder / "work.bin"), check=True, timeout=600)
    after = result.read_bytes()
    ticks = [_CALL.unpack_from(after, first - MEMORY + number * _CALL.size)[7] for number in range(len(rows))]
    per_tick = 1e9 / board.timer_hz / (1 << board.icount_shift)
    return [_done(call, row, after, t * per_tick) for call, row, t in zip(calls, rows, ticks, strict=True)]


def _qemu(board: Board, elf: Path, work: Path) -> list[str]:
    return [
        "qemu-system-arm", "-M", board.qemu_machine, "-display", "none", "-monitor", "none", "-serial", "null",
        "-icount", f"shift={board.icount_shift},sleep=off", "-semihosting-config", "enable=on,target=native",
        "-device", f"loader,file={work},addr={MEMORY},force-raw=on", "-kernel", str(elf),
    ]  # fmt: skip


def _kernels_source() -> str:
    """All kernels, and a table of those of each type; a general one takes an ekw_general, which begins with a node."""
    rows = {True: "", False: ""}
    for number, kernel in enumerate(_KERNELS):
        name = f"(one){kernel.name}" if kernel.is_general else kernel.name
        rows[len(kernel.signed) == 2] += f"    [{number}] = {name},\n"
    size = len(_KERNELS)
    return (
        c.definitions(set(_KERNELS)) + f"\ntypedef void (*one)(const ekw_node *, const void *, void *, ekw_scratch);\n"
        f"typedef void (*two)(const ekw_node *, const void *, const void *, void *);\n"
        f"static const one of_one[{size}] = {{\n{rows[False]}}};\n"
        f"static const two of_two[{size}] = {{\n{rows[True]}}};\n"
    )


def _lay_out(memory: Memory, call: Call, core: str) -> tuple[int, ...]:
    """The words of a call."""
    node, arrays = call.node, constants(call.node)
    at = {name: memory.put(values.tobytes()) for name, values in arrays.items()}
    words = [at.get("offset", 0), at.get("mult", 0), at.get("shift", 0), node.requant.lo, node.requant.hi]
    words += [*node.in_shape, *node.out_shape, at.get("weight", 0), *node.kernel, *node.stride, *node.pad]
    signed = tuple(x.dtype == np.int8 for x in call.inputs)
    chosen = c.kernel(node, signed)
    words += general_words(node, signed) if chosen.is_general else []
    described = memory.put(struct.pack(f"<{len(words)}I", *(word & 0xFFFFFFFF for word in words)))
    size = int(np.prod(node.out_shape))
    room = max(size, call.inputs[0].size) if call.in_place else call.inputs[0].size
    first = memory.put(call.inputs[0].transpose(2, 0, 1).tobytes().ljust(room, b"\0"))
    second = memory.put(call.inputs[1].transpose(2, 0, 1).tobytes()) if len(call.inputs) > 1 else 0
    output = first if call.in_place else memory.put(bytes(size))
    scratch_bytes = c.scratch_bytes(node, core, call.min_ram)
    kernel = _KERNELS.index(chosen)
    guards = (output + (room if call.in_place else size), memory.put(bytes(scratch_bytes)))
    return kernel, described, first, second, output, guards[1], scratch_bytes, 0, guards[0]


def _done(call: Call, row: tuple[int, ...], after: bytes, instructions: float) -> Done:
    height, width, channels = call.node.out_shape
    dtype = np.int8 if call.node.requant.lo < 0 else np.uint8
    output = np.frombuffer(after, dtype, height * width * channels, row[4] - MEMORY).reshape(channels, height, width)
    ends = (row[8], row[5] + row[6])
    kept = all(after[end - MEMORY : end - MEMORY + len(_GUARD)] == _GUARD for end in ends)
    return Done(output.transpose(1, 2, 0).astype(np.int32), instructions, kept)
