"""The commands of the protocol. Each sends one or more lines and refuses every answer that the protocol does not allow.

The session (session.py) adds retries and checksums. Source of the commands and their answers: mlcommons/tiny,
benchmark/api/internally_implemented.cpp; `raw`, `image`, `memory`, `layers` and
the last line of `help` are extensions of our firmware (firmware/app).
Each function raises ProtocolError for an answer of another form and BoardError when the device stays silent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from firmware_io.protocol import parser as msg
from firmware_io.protocol.line import COMMAND_CHARACTERS, Line, first
from firmware_io.protocol.message import Message
from firmware_io.protocol.values import Identity

CHUNK_BYTES = (COMMAND_CHARACTERS - len("db ")) // 2
"""Input bytes in one `db` command: as many as fit in the device's command buffer."""
_MAX_LAYERS = 1000


@dataclass(frozen=True)
class Run:
    """One `infer` command.

    laps_us: the two time stamps of the device, in microseconds; empty in energy mode.
    permille: the printed probabilities in thousandths. host_s: seconds on this computer, warm-ups included.
    """

    laps_us: tuple[int, ...]
    permille: tuple[int, ...]
    host_s: float


def identity(line: Line, name: str = "") -> Identity:
    """Ask for name, profile and model. name: skips the first question when the name is known already."""
    name = name or first(line.ask("name", msg.Name, msg.Ready), msg.Name).vendor
    answer = line.ask("profile", msg.Profile, msg.Model, msg.Ready)
    return Identity(name, first(answer, msg.Profile).text, first(answer, msg.Model).id)


def build_id(line: Line) -> str:
    """The build id of the firmware, 32 hexadecimal digits, from the last line of `help`; "" when there is none."""
    answer = line.command("help", prose=True)
    if [type(message) for message in answer[-2:]] != [msg.Build, msg.Ready]:
        line.unexpected(
            "help", "m-build-[...] and m-ready at its end", ", ".join(type(m).__name__ for m in answer[-2:])
        )
    return first(answer[-2:], msg.Build).id


def lap_us(line: Line) -> int | None:
    """Microseconds of the device's clock; None in energy mode, where `timestamp` makes an edge and prints nothing."""
    answer = line.command("timestamp")
    if len(answer) == 1:
        return None
    line.verify("timestamp", answer, (msg.LapUs, msg.Ready))
    return first(answer, msg.LapUs).us


def load(line: Line, content: bytes) -> None:
    """Fill the device's input buffer with `content` (not empty), CHUNK_BYTES per `db` command."""
    command = f"db load {len(content)}"
    expecting = first(line.ask(command, msg.Expecting, msg.Ready), msg.Expecting)
    if expecting.size != len(content):
        line.unexpected(command, f"m-[Expecting {len(content)} bytes]", f"{expecting.size} bytes")
    *chunks, last = [content[at : at + CHUNK_BYTES] for at in range(0, len(content), CHUNK_BYTES)]
    for chunk in chunks:
        line.ask(f"db {chunk.hex()}", msg.Ready)
    line.ask(f"db {last.hex()}", msg.LoadDone, msg.Ready)


def infer(line: Line, iterations: int, warmups: int, wait_s: float, laps: bool, clock: Callable[[], float]) -> Run:
    """Run `warmups` and then `iterations` inferences.

    wait_s: longest silence that is tolerated. laps: whether the device prints time stamps. clock: in seconds.
    """
    command, start = f"infer {iterations} {warmups}", clock()
    stamps = (msg.LapUs, msg.LapUs) if laps else ()
    kinds = (msg.WarmupStart, msg.WarmupDone, msg.InferStart, *stamps, msg.InferDone, msg.Results, msg.Ready)
    answer = line.ask(command, *kinds, timeout_s=wait_s)
    host_s = clock() - start
    counts = first(answer, msg.InferStart).count, first(answer, msg.WarmupStart).count
    if counts != (iterations, warmups):
        line.unexpected(command, f"{iterations} inferences after {warmups} warm-ups", f"{counts[0]} after {counts[1]}")
    laps_us = tuple(message.us for message in answer if isinstance(message, msg.LapUs))
    return Run(laps_us, first(answer, msg.Results).permille, host_s)


def results(line: Line) -> tuple[int, ...]:
    """Probabilities of the last inference in thousandths, one per label."""
    return first(line.ask("results", msg.Results, msg.Ready), msg.Results).permille


def raw(line: Line) -> tuple[tuple[int, ...], int] | None:
    """(int8 scores, CRC-32 of the input) of the last inference; None when the device does not know `raw`."""
    answer = line.command("raw")
    if _unknown(answer, "raw"):
        return None
    line.verify("raw", answer, (msg.Raw, msg.InputCrc, msg.Ready))
    return first(answer, msg.Raw).scores, first(answer, msg.InputCrc).crc32


def flash_crc32(line: Line, wait_s: float) -> int | None:
    """CRC-32 of the firmware in the device's flash; None when it has no flash, or does not know `image`.

    wait_s: longest silence that is tolerated; the device computes meanwhile.
    """
    answer = line.command("image", wait_s)
    if _unknown(answer, "image"):
        return None
    if isinstance(answer[0], msg.ImageUnknown):
        line.verify("image", answer, (msg.ImageUnknown, msg.Ready))
        return None
    line.verify("image", answer, (msg.ImageCrc, msg.Ready))
    return first(answer, msg.ImageCrc).crc32


def stack(line: Line) -> msg.StackUse | None:
    """Peak use of the stack since the reset; None when the device does not know it, or does not know `memory`."""
    answer = line.command("memory")
    if _unknown(answer, "memory"):
        return None
    if isinstance(answer[0], msg.StackUnknown):
        line.verify("memory", answer, (msg.StackUnknown, msg.Ready))
        return None
    line.verify("memory", answer, (msg.StackUse, msg.Ready))
    return first(answer, msg.StackUse)


def layers(line: Line, iterations: int, wait_s: float) -> tuple[float, ...] | None:
    """Microseconds of each layer per inference, the mean of `iterations`; None when the device does not know `layers`.

    wait_s: longest silence that is tolerated.
    """
    command = f"layers {iterations}"
    answer = line.command(command, wait_s, _MAX_LAYERS)
    if _unknown(answer, "layers"):
        return None
    rows = [message for message in answer if isinstance(message, msg.Layer)]
    line.verify(command, answer, (msg.Layers, *[msg.Layer] * len(rows), msg.Ready))
    head = first(answer, msg.Layers)
    if (head.count, head.iterations) != (len(rows), iterations) or head.ticks_per_s == 0:
        got = f"{len(rows)} layers, {head}"
        line.unexpected(command, f"{head.count} layers of {iterations} iterations", got)
    if [row.number for row in rows] != list(range(len(rows))):
        line.unexpected(command, "layers in order", str([row.number for row in rows]))
    return tuple(row.ticks * 1e6 / head.ticks_per_s / iterations for row in rows)


def _unknown(answer: list[Message], command: str) -> bool:
    return isinstance(answer[0], msg.DeviceError) and answer[0].unknown(command)
