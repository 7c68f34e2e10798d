"""Ports of boards that are not emulated: which registers they set, in which order, compared with the documents.

Their sources are compiled for this computer; an access of a register goes to a recorder. Not a run on hardware.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from firmware_io import board, build
from tests.firmware_io.firmware.lines import needs

HERE = Path(__file__).parent / "registers"
Touched = tuple[int, int]
"""Address of a register, and what it holds then."""

# NUCLEO-L4R5ZI: ST RM0432. Port F is that of PF13.
L4_GPIOF_MODER, L4_GPIOF_BSRR, L4_AHB2ENR = 0x4800_1400, 0x4800_1418, 0x4002_104C
L4_LPUART_BRR, L4_LPUART_ISR, L4_LPUART_PRESC = 0x4000_800C, 0x4000_801C, 0x4000_802C
L4_TIM2 = range(0x4000_0000, 0x4000_0400)
# LP-MSPM0G5187: TI's device header. Port A is that of PA25, whose pin control register is number 55.
M0_DOUTSET, M0_DOUTCLR, M0_DOESET, M0_PINCM55 = 0x400A_1290, 0x400A_12A0, 0x400A_12D0, 0x4042_80DC
M0_STAT, M0_IBRD, M0_FBRD = 0x40A0_1108, 0x40A0_1110, 0x40A0_1114
SYSTICK = range(0xE000_E010, 0xE000_E020)


@dataclass(frozen=True)
class Port:
    """states: registers that the port waits for. clock: addresses of its time base."""

    name: str
    states: tuple[Touched, ...]
    clock: range


NUCLEO = Port("nucleo-l4r5zi", ((L4_LPUART_ISR, 1 << 6), (L4_GPIOF_MODER, 0xFFFF_FFFF)), L4_TIM2)
LAUNCHPAD = Port("lp-mspm0g5187", ((M0_STAT, 1 << 5),), SYSTICK)
PORTS = pytest.mark.parametrize("port", [NUCLEO, LAUNCHPAD], ids=lambda port: port.name)


def recorded(port: Port, energy: bool, folder: Path) -> dict[str, list[Touched]]:
    """What was touched in `init`, `flush` and, in energy mode, `edge`."""
    needs("cc")
    target = replace(board.load(port.name), compiler="cc", cflags=(), linker_script="")
    sources = [path for path in build.sources(target.port) if path.name in WANTED]
    files = [f"-iquote{HERE}", str(HERE / "recorder.c"), *map(str, sources)]
    line = [*build.compile_line(target, files, None, energy), "-o", str(folder / "port")]
    subprocess.run(line, check=True, capture_output=True)
    states = [f"{number:x}" for state in port.states for number in state]
    output = subprocess.run([folder / "port", *states], check=True, capture_output=True, text=True, timeout=20).stdout
    steps: dict[str, list[Touched]] = {}
    for text in output.splitlines():
        if text in ("init", "flush", "edge"):
            step = steps[text] = []
        elif not text.startswith("irq"):
            address, value = text.split()
            step.append((int(address, 16), int(value, 16)))
    return steps


WANTED = ("port.c", "uart_lpuart.c", "uart_unicomm.c", "systick.c", "putc.c", "ring.c")


def test_the_pin_of_the_nucleo(tmp_path: Path) -> None:
    steps = recorded(NUCLEO, True, tmp_path)
    init = steps["init"]
    high, output = init.index((L4_GPIOF_BSRR, 1 << 13)), init.index((L4_GPIOF_MODER, 0xFFFF_FFFF & ~(2 << 26)))
    assert high < output, "the pin would be low before anybody asked for an edge"
    assert any(address == L4_AHB2ENR and value & 1 << 5 for address, value in init[:high])
    assert steps["edge"] == [(L4_GPIOF_BSRR, 1 << 29), (L4_GPIOF_BSRR, 1 << 13)]


def test_the_pin_of_the_launchpad(tmp_path: Path) -> None:
    steps = recorded(LAUNCHPAD, True, tmp_path)
    init = steps["init"]
    high, output = init.index((M0_DOUTSET, 1 << 25)), init.index((M0_DOESET, 1 << 25))
    assert high < output < init.index((M0_PINCM55, 1 << 7 | 1))
    assert steps["edge"] == [(M0_DOUTCLR, 1 << 25), (M0_DOUTSET, 1 << 25)]


@PORTS
def test_the_clock_runs_in_performance_mode_only(port: Port, tmp_path: Path) -> None:
    for energy in (False, True):
        touched = {address for address, _ in recorded(port, energy, tmp_path)["init"]}
        assert bool(touched & set(port.clock)) == (not energy)
        assert bool(touched & {L4_GPIOF_BSRR, M0_DOUTSET}) == energy


@PORTS
def test_a_flush_waits_until_all_has_been_sent(port: Port, tmp_path: Path) -> None:
    assert recorded(port, True, tmp_path)["flush"] == [port.states[0]]


def test_the_baud_rates_are_met(tmp_path: Path) -> None:
    """To 0.1 %: a UART can bear 2."""
    for energy, baud in ((False, 115_200), (True, 9600)):
        nucleo = dict(recorded(NUCLEO, energy, tmp_path)["init"])
        prescaler = {0: 1, 7: 16}[nucleo[L4_LPUART_PRESC]]
        assert 768 <= nucleo[L4_LPUART_BRR] < 1 << 20
        assert 256 * 120e6 / prescaler / nucleo[L4_LPUART_BRR] == pytest.approx(baud, rel=1e-3)
        launchpad = dict(recorded(LAUNCHPAD, energy, tmp_path)["init"])
        assert 40e6 / 16 / (launchpad[M0_IBRD] + launchpad[M0_FBRD] / 64) == pytest.approx(baud, rel=1e-3)
