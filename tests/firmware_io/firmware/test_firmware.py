"""The firmware itself, on every board: raw bytes over its serial line."""

from __future__ import annotations

import re
import zlib
from pathlib import Path

import numpy as np
import pytest

from edgekws.emit.c import emit
from edgekws.graph import interp, softmax
from edgekws.graph.ir import Graph
from firmware_io import board
from tests.firmware_io.firmware.lines import EMULATED, Line, crashing, started


def test_name_and_profile(line: Line) -> None:
    assert line.ask("name") == [f"m-name-dut-[edgekws-{line.name}]"]
    assert line.ask("profile") == ["m-profile-[ULPMark for tinyML Firmware V0.0.1]", "m-model-[kws01]"]


def test_help_lists_every_command(line: Line) -> None:
    version, empty, *rest, _ = line.ask("help")
    assert version == "ULPMark for tinyML Firmware V0.0.1" and empty == ""
    listed = [text.split(" : ")[0] for text in rest]
    assert listed == [
        "help",
        "name",
        "profile",
        "timestamp",
        "db",
        "infer",
        "results",
        "check",
        "image",
        "raw",
        "layers",
        "memory",
    ]


def test_time_never_goes_back(line: Line) -> None:
    laps = [int(re.fullmatch(r"m-lap-us-(\d+)", line.ask("timestamp")[0])[1]) for _ in range(5)]
    assert laps == sorted(laps) and laps[-1] > laps[0]


def test_scores_and_probabilities_equal_the_interpreter(line: Line, model_graph: Graph) -> None:
    features = np.random.default_rng(9).integers(-128, 128, (6, 49, 10)).astype(np.int8)
    features[0], features[1] = -128, 127
    expected = interp.run(model_graph, features)
    thousandths = softmax.permille(expected, model_graph.score_scale)
    assert 1000 in thousandths  # the reference prints exactly 1.0 wrong
    for tensor, scores, probabilities in zip(features, expected, thousandths, strict=True):
        line.load(tensor)
        answer = line.ask("infer 1 0")
        text = ",".join(f"{p // 1000}.{p % 1000:03d}" for p in probabilities)
        assert answer[-1] == f"m-results-[{text}]" == line.ask("results")[0]
        raw, crc = line.ask("raw")
        assert raw == f"m-raw-[{','.join(map(str, scores))}]"
        assert crc == f"m-input-crc32-[{zlib.crc32(tensor.tobytes()):08x}]"


def test_infer_reports_in_order_and_time_grows_with_the_count(line: Line) -> None:
    line.load(np.zeros((49, 10)))
    spans = []
    for count in (3, 30):
        answer = line.ask(f"infer {count} 2")
        laps = [int(text.removeprefix("m-lap-us-")) for text in answer if text.startswith("m-lap-us-")]
        order = [re.sub(r"lap-us-\d+|results-.*", "x", text) for text in answer]
        assert order == [
            "m-warmup-start-2",
            "m-warmup-done",
            f"m-infer-start-{count}",
            "m-x",
            "m-x",
            "m-infer-done",
            "m-x",
        ]
        spans.append(laps[1] - laps[0])
    if line.name in EMULATED:  # counted instructions: ten times the work is ten times the time
        assert spans[1] == pytest.approx(10 * spans[0], rel=2e-3)
    assert "m-warmup-start-10" in line.ask("infer") and "m-infer-start-1" in line.ask("infer")


def test_scores_of_an_earlier_input_are_refused(line: Line) -> None:
    line.load(np.zeros((49, 10)))
    line.ask("infer 1 0")
    line.ask("db load 490")
    refusal = "e-[No inference has been run on this input]"
    assert line.ask("results") == [refusal]
    assert line.ask("raw") == [refusal, "m-input-crc32-[00000000]"]


@pytest.mark.parametrize("name", EMULATED)
def test_boot_banner(name: str, graph: Graph, tmp_path: Path) -> None:
    with started(name, emit(graph), tmp_path) as (_, banner):
        mode, lap, done = banner
        assert (mode, done) == ("m-timestamp-mode-performance", "m-init-done")
        # In the right unit: a few ms, and more on a busy computer, for QEMU's clock also runs while the core is idle.
        assert int(lap.removeprefix("m-lap-us-")) < 1_000_000


UNDEFINED = """
#ifdef __riscv
#define UNDEFINED __asm volatile("unimp")
#else
#define UNDEFINED __asm volatile("udf #0")
#endif
void ekw_model_run(const int8_t *input, int8_t *scores) {
    UNDEFINED;
    *scores = *input;
}"""
ENDLESS = """
static int32_t deeper(volatile int8_t *values, int32_t depth) {
    volatile int8_t copy[64];
    copy[depth & 63] = values[0];
    return depth < 0 ? 0 : deeper(copy, depth + 1) + copy[depth & 31];
}
void ekw_model_run(const int8_t *input, int8_t *scores) {
    (void)input;
    *scores = (int8_t)deeper(scores, 0);
}"""


REASONS = {  # what the core knows of a fault
    "riscv": r"mcause=0000000\d mtval=[0-9a-f]{8}\]",
    "-v6m": r"\]",
    "": r"cfsr=[0-9a-f]{8} hfsr=4[0-9a-f]{7} bfar=[0-9a-f]{8}\]",
}


@pytest.mark.parametrize("name", EMULATED)
@pytest.mark.parametrize(("body", "what"), [(UNDEFINED, r"pc=[0-9a-f]{8}"), (ENDLESS, "stack overflow")])
def test_a_fault_is_reported(name: str, body: str, what: str, graph: Graph, tmp_path: Path) -> None:
    reason = next(text for part, text in REASONS.items() if part in name)
    with started(name, crashing(graph, body), tmp_path) as (line, _):
        line.load(np.zeros((49, 10)))
        line.port.write(b"infer 1 0%")
        answer = line.port.read_until(b"]\r\n").decode("ascii")
        assert re.search(rf"e-\[(HardFault|Trap) {what} ?{reason}", answer), answer


@pytest.mark.slow
@pytest.mark.parametrize("name", EMULATED)
def test_time_is_wider_than_32_bits(name: str, graph: Graph, tmp_path: Path) -> None:
    """More than 2^32 timer ticks of inferences."""
    with started(name, emit(graph), tmp_path) as (line, _):
        line.load(np.zeros((49, 10)))

        def span_us(count: int) -> int:
            laps = [int(text[9:]) for text in line.ask(f"infer {count} 0") if text.startswith("m-lap-us-")]
            return laps[1] - laps[0]

        once = span_us(100) / 100
        count = int(1.1 * 2**32 / board.load(name).timer_hz * 1e6 / once)
        line.port.timeout = 300
        assert span_us(count) == pytest.approx(count * once, rel=1e-4)
