"""What the files of a run prove: the image, the board, the samples of a meter, and the recorded traffic."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, fields, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from edgekws.errors import EdgeKwsError
from edgekws.files import read_json, sha256_file
from edgekws.graph import io
from edgekws.report.session_check import Finding
from firmware_io import board as boards
from firmware_io import build, traffic, transport
from firmware_io.bench import sent_clips
from firmware_io.board import Board
from firmware_io.build import build_id, memory_plan
from firmware_io.energy import recorder

Row = Mapping[str, Any]
_STAMP = re.compile(r"m-lap-us-([0-9]+)\r?\n")


def findings(folder: Path, bench: Row) -> Iterator[Finding]:
    """Findings about firmware.elf, board.toml, energy.f32 and traffic.jsonl of a run. bench: its bench.json."""
    yield from _source(bench["provenance"])
    board, about = _board(folder, bench)
    yield about
    if board is not None and bench.get("arena"):
        yield from _arena(folder / "graph.npz", board, bench)
    if bench["provenance"]["source"] != "trace":
        yield from _firmware(folder / "firmware.elf", bench, board)
    if (folder / "energy.f32").exists() and bench["energy"]:
        yield _energy(folder, bench["energy"])
    if (folder / "traffic.jsonl").exists():
        yield from _traffic(folder / "traffic.jsonl", bench)
    elif bench["provenance"]["source"] == "replay":
        yield Finding("error", "traffic.jsonl", "missing, although the run is a replay")


def _source(origin: Row) -> Iterator[Finding]:
    """A finding for figures that no device gave in this run, or that may come from anywhere."""
    if origin["source"] == "replay":
        when = origin["recorded"] or "at an unknown time"
        yield Finding("warning", "source", f"a replay of traffic recorded {when}, as the file itself says")
    elif origin["source"] == "trace":
        yield Finding("warning", "source", "an imported trace: no board was used; nothing shows what was measured")
    elif origin["source"] == "unknown":
        yield Finding("warning", "source", "unknown: an older document does not say it")
    if _replays(origin["port"]) != (origin["source"] == "replay"):
        yield Finding("error", "source", f"{origin['source']}, but the port is {ascii(origin['port'])[:80]}")


def _replays(port: str) -> bool:
    try:
        return bool(port) and transport.recording_of(port) is not None
    except EdgeKwsError:  # a scheme of a package that is not installed here
        return False


def _arena(path: Path, board: Board, bench: Row) -> Iterator[Finding]:
    """The memory plan, made again."""
    what = "graph.npz: memory plan"
    try:
        again = asdict(memory_plan.arena(board, io.load(path), bench["arena"]["min_ram"]))
    except EdgeKwsError as error:
        yield Finding("warning", what, f"not checked: {error}")
        return
    right = again == bench["arena"]
    yield Finding("ok" if right else "error", what, "made again" if right else f"made again: {again}")


def _board(folder: Path, bench: Row) -> tuple[Board | None, Finding]:
    try:
        board = replace(boards.read(folder / "board.toml"), name=bench["board"]["name"])
    except EdgeKwsError as error:
        return None, Finding("error", "board.toml", str(error))
    known = {field.name for field in fields(Board)} & bench["board"].keys()
    wrong = sorted(name for name in known if getattr(board, name) != bench["board"][name])
    if wrong:
        return board, Finding("error", "board.toml", f"bench.json has another {', '.join(wrong)}")
    return board, Finding("ok", "board.toml", f"the board {board.name} of bench.json")


def _firmware(elf: Path, bench: Row, board: Board | None) -> Iterator[Finding]:
    checked, claimed = bench["build"], bench["firmware"]
    if checked["status"] != "verified":
        yield Finding("warning", "build", f"{checked['status']}: it is not proven which firmware the board ran")
    if claimed is None:  # then the run keeps no image either
        return
    try:
        digest, number = sha256_file(elf), build_id.of_file(elf)
    except OSError as error:
        yield Finding("error", "firmware.elf", f"{error.strerror}")
        return
    except EdgeKwsError as error:
        yield Finding("error", "firmware.elf: build id", str(error))
        return
    if checked["status"] == "verified":
        right = number == checked["id"]
        got = number if right else f"{number or 'none'}, but the device said {checked['id']}"
        yield Finding("ok" if right else "error", "firmware.elf: build id", got)
    right = digest == claimed["sha256"]
    got = f"{digest[:16]}" if right else f"{digest[:16]}, bench.json says {claimed['sha256'][:16]}"
    yield Finding("ok" if right else "error", "firmware.elf: hash", got)
    if board is not None:
        yield _sizes(elf, claimed, board)


def _sizes(elf: Path, claimed: Row, board: Board) -> Finding:
    what = "firmware.elf: flash and RAM"
    try:
        text, data, bss = build.sizes(board, elf)
    except EdgeKwsError as error:
        return Finding("warning", what, f"not checked: {error}")
    right = (text + data, data + bss) == (claimed["flash_bytes"], claimed["ram_bytes"])
    return Finding("ok" if right else "error", what, f"{text + data:,} B and {data + bss:,} B")


def _energy(folder: Path, section: Row) -> Finding:
    """Each window's joules are the sum of the samples between two edges that follow each other."""
    what = "energy.f32: joules of the windows"
    try:
        sidecar = read_json(folder / "energy.json", recorder.KIND, recorder.VERSION)
        sums = np.concatenate(([0.0], np.cumsum(np.fromfile(folder / "energy.f32", "<f4").astype(np.float64))))
        spans = [(first, last) for first, last in pairwise(sidecar["edges"]) if 0 <= first < last < len(sums)]
        rate_hz = float(sidecar["rate_hz"])
    except (OSError, KeyError, TypeError, ValueError, EdgeKwsError) as error:
        return Finding("error", what, f"not readable ({error})")
    for number, window in enumerate(section["windows"], 1):
        fits = (
            math.isclose(sums[last] - sums[first], window["joules"], rel_tol=1e-6)
            and math.isclose((last - first) / rate_hz, window["seconds"], rel_tol=1e-9)
            for first, last in spans
        )
        if not any(fits):
            return Finding("error", what, f"window {number} is between no two edges")
    return Finding("ok", what, f"{len(section['windows'])} windows, from {len(sums) - 1:,} samples")


def _traffic(path: Path, bench: Row) -> Iterator[Finding]:
    try:
        header, events = traffic.header(path), traffic.load(path)
    except EdgeKwsError as error:
        yield Finding("error", "traffic.jsonl", str(error))
        return
    origin = bench["provenance"]
    if origin["source"] == "replay":
        right = header.recorded == origin["recorded"]
        got = f"recorded {header.recorded or 'at an unknown time'}"
        yield Finding("ok" if right else "error", "traffic.jsonl: date", got)
    received = b"".join(event.content for event in events if event.direction == "from").decode("latin-1")
    answered, answers = sent_clips.heard(events), bench.get("answers") or []
    yield _answers([one.text for one in answered], answers)
    if answers and origin["clips_sha256"] and not bench["incomplete"]:
        right = sent_clips.have_hash(answers, answered, origin["clips_sha256"])
        got = "names, classes and contents" if right else "names, classes or contents are of other clips"
        yield Finding("ok" if right else "error", "traffic.jsonl: hash of the clips", got)
    yield from _stamps(_STAMP.findall(received), (bench.get("performance") or {}).get("clock_us") or [])
    number = bench["build"]["id"]
    if number and "m-build-" in received:
        right = f"m-build-[{number}]" in received
        yield Finding("ok" if right else "error", "traffic.jsonl: build id", number if right else f"not {number}")


def _answers(printed: Sequence[str], answers: Sequence[Row]) -> Finding:
    """Every answer of bench.json is in the traffic, in the same order."""
    what, rest = "traffic.jsonl: answers", iter(printed)
    for number, answer in enumerate(answers, 1):
        text = ",".join(f"{value // 1000}.{value % 1000:03d}" for value in answer["permille"])
        if text not in rest:
            return Finding("error", what, f"answer {number} of bench.json is not in it")
    return Finding("ok", what, f"{len(answers):,} of {len(answers):,} in it")


def _stamps(printed: Sequence[str], windows: Sequence[Sequence[int]]) -> Iterator[Finding]:
    """Every reading of the device's clock in bench.json is in the traffic, in the same order."""
    what, rest = "traffic.jsonl: time stamps", iter(printed)
    for number, window in enumerate(windows, 1):
        if not all(str(stamp) in rest for stamp in window):
            yield Finding("error", what, f"those of window {number} of bench.json are not in it")
            return
    if windows:
        yield Finding("ok", what, f"of {len(windows):,} windows")
