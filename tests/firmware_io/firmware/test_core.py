"""What a core and its port do besides the protocol: stack, time, access rules."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgekws.emit.c import emit
from edgekws.errors import ProtocolError
from edgekws.graph.ir import Graph
from firmware_io import board, build
from firmware_io.protocol.session import Session
from firmware_io.transport import open_transport
from tests.firmware_io.firmware.lines import EMULATED, Line, crashing, needs_for, running, started, started_board

UNALIGNED = """
void ekw_model_run(const int8_t *input, int8_t *scores) {
    (void)input;
    volatile uintptr_t odd = (uintptr_t)scores | 1u;
    *scores = (int8_t)*(volatile int32_t *)odd;
}"""


@pytest.mark.parametrize(("name", "word"), [("qemu-an385-v6m", "HardFault"), ("qemu-an385", "m-infer-done")])
def test_the_stand_in_for_armv6m_faults_at_unaligned_accesses(
    name: str, word: str, graph: Graph, tmp_path: Path
) -> None:
    with started(name, crashing(graph, UNALIGNED), tmp_path) as (line, _):
        line.load(np.zeros((49, 10)))
        line.port.write(b"infer 1 0%")
        assert line.port.read_until(word.encode()).endswith(word.encode())


def stack(line: Line) -> tuple[int, int]:
    """Bytes (used at most, there are)."""
    (answer,) = line.ask("memory")
    used, size = re.fullmatch(r"m-memory-stack-\[(\d+),(\d+)\]", answer).groups()
    return int(used), int(size)


def test_the_host_reports_no_stack_size(graph: Graph, tmp_path: Path) -> None:
    with started("host", emit(graph), tmp_path) as (line, _):
        assert line.ask("memory") == ["m-memory-stack-[unknown]"]


@pytest.mark.parametrize("name", EMULATED)
def test_layers_add_up_to_the_inference(name: str, graph: Graph, tmp_path: Path) -> None:
    target = board.load(name)
    needs_for(target)
    elf = build.build(target, emit(graph), tmp_path / "firmware.elf").elf
    with open_transport(target.transport, elf) as transport:
        session = Session(transport)
        session.start()
        with pytest.raises(ProtocolError, match="No complete input"):
            session.layers(1)
        session.classify(np.zeros((49, 10), np.int8))
        whole = session.infer(50, 0).device_us / 50
        layers = session.layers(50)
        assert len(layers) == len(graph.nodes) and min(layers) > 0
        assert sum(layers) == pytest.approx(whole, rel=0.01)
        with pytest.raises(ProtocolError, match="1 to 1000000"):
            session.layers(0)


DEEP = """
void ekw_model_run(const int8_t *input, int8_t *scores) {
    volatile int8_t hole[1000];
    hole[0] = input[0];
    *scores = hole[0];
}"""


@pytest.mark.parametrize("name", ["qemu-an385-v6m", "qemu-an547", "qemu-riscv32"])
def test_the_peak_of_the_stack_is_kept(name: str, graph: Graph, tmp_path: Path) -> None:
    with started(name, crashing(graph, DEEP), tmp_path) as (line, _):
        shallow, _ = stack(line)
        line.load(np.zeros((49, 10)))
        line.ask("infer 1 0")
        assert shallow + 700 < stack(line)[0] < shallow + 1300  # about the 1000 bytes of the array
        line.ask("name")
        assert stack(line) == stack(line)


@pytest.mark.parametrize("name", EMULATED)
def test_instructions_and_stack_are_the_same_in_every_run(name: str, graph: Graph, tmp_path: Path) -> None:
    """To one tick of the timer for 20 inferences of the same input; clipping may be branches."""
    target, counts = board.load(name), []
    needs_for(target)
    elf = build.build(target, emit(graph), tmp_path / "fw.elf").elf
    for _ in range(2):
        with running(target, elf) as (line, _):
            line.load(np.zeros((49, 10)))
            laps = [int(text[9:]) for text in line.ask("infer 20 1") if text.startswith("m-lap-us-")]
            counts.append((laps[1] - laps[0], stack(line)))
    (us, used), (us_again, used_again) = counts
    assert abs(us - us_again) <= 1
    assert used == used_again and 100 < used[0] < used[1] == target.symbols["EKW_STACK_BYTES"]


SYSTICK_PORT = """
#include "port/port.h"
#include "port/common/uart.h"
#include "port/cortexm/cortexm.h"
#include "port/systick/systick.h"
__attribute__((section(".isr_vector"), used)) static const ekw_vector vectors[EKW_FIRST_IRQ + 1] = {
    EKW_SYSTEM_VECTORS,
    [EKW_SYSTICK_VECTOR] = {.handler = ekw_systick_interrupt},
    [EKW_FIRST_IRQ] = {.handler = ekw_uart_receive_interrupt},
};
void ekw_port_init(void) {
    ekw_systick_start();
    ekw_uart_init();
    ekw_irq_enable(0);
}
"""


def test_systick_as_a_clock(graph: Graph, tmp_path: Path) -> None:
    """The time base of a board that we have not got, on an emulated one: many times around its 24 bits."""
    (tmp_path / "port.c").write_text(SYSTICK_PORT)
    port = ("port/common", "port/cortexm", "port/cmsdk", "port/systick", str(tmp_path))
    target = replace(board.load("qemu-an385-v6m"), port=port)
    with started_board(target, emit(graph), tmp_path) as (line, _):
        line.load(np.zeros((49, 10)))

        def span_us(count: int) -> int:
            laps = [int(text[9:]) for text in line.ask(f"infer {count} 0") if text.startswith("m-lap-us-")]
            return laps[1] - laps[0]

        once = span_us(100) / 100
        count = int(10 * 2**24 / target.timer_hz * 1e6 / once)
        assert span_us(count) == pytest.approx(count * once, rel=1e-3)
