"""Boards are data: one TOML file per board in the folder boards/; the file's name is the board's name."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import MISSING, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, get_args, get_type_hints

from edgekws import plugins
from edgekws.errors import ConfigError, unknown
from edgekws.types import How

FULL = "-full"
"""Ends the names of boards with all memory of their machines."""
_SIZES = ("flash_bytes", "ram_bytes")


@dataclass(frozen=True)
class Board:
    """One board, as its TOML file describes it.

    target: the target (edgekws/targets) whose graphs this board runs.
    how: how reports label its figures: measured, emulated, computed.
    flash_bytes, ram_bytes: budgets that the linker enforces; 0 for no limit.
    cpu: whose instruction costs (edgekws/targets/_estimate.py) its layers are compared with; "" when unknown.
    timer_hz: rate of the timer behind the device's time stamps, in ticks per second.
    port: folders of firmware/ with the sources of this board. symbols: linker symbols (memory
    origins, stack). defines: numeric macros for its drivers.
    usb: ids ("vid:pid", hexadecimal) of the debug probes that provide its serial port.
    flash_options: settings of the flash tool, by the names of its OPTIONS.
    qemu_program, qemu_machine, qemu_args: the emulator and its machine; empty without an emulator.
    energy_edge: the output of the time stamps in energy mode, in words; "" for a board without energy mode.
    capture: folders of firmware/ with the microphone of this board, for the firmware that listens; capture_irq: number
    of its interrupt, -1 without one.
    energy_baud: baud rate of the serial line in energy mode. stream_baud: of the firmware that listens; 16 kHz need
    320,000 at least in real time.
    supply_v: lowest and highest supply by the data sheet, in volts; empty when unknown.
    active_current_ma: lowest and highest current while it computes at clock_hz, by data sheet and publications, in mA;
    empty when unknown. firmware_io/bench/plausible.py compares metered energies with both.
    npu_macs_per_cycle: peak of an NPU on the chip, in multiplications a cycle of clock_hz; 0 without one. Metered
    energies may be of firmware that uses it.
    icount_shift: an emulated instruction takes 2^shift ns of virtual time; -1 without an emulator.
    full: of an emulated board whose budgets are smaller than its machine's memories: flash_bytes and ram_bytes of the
    board NAME-full, which has these, and linker symbols that differ there.
    """

    name: str
    title: str
    core: str
    how: How
    target: str
    clock_hz: int
    timer_hz: int
    flash_bytes: int
    ram_bytes: int
    compiler: str
    port: tuple[str, ...]
    flash_tool: str
    transport: str
    baud: int
    usb: tuple[str, ...] = ()
    cpu: str = ""
    cflags: tuple[str, ...] = ()
    linker_script: str = ""
    symbols: dict[str, int] = field(default_factory=dict)
    defines: dict[str, int] = field(default_factory=dict)
    flash_options: dict[str, str] = field(default_factory=dict)
    qemu_program: str = ""
    qemu_machine: str = ""
    qemu_args: tuple[str, ...] = ()
    icount_shift: int = -1
    energy_edge: str = ""
    capture: tuple[str, ...] = ("port/capture_none",)
    capture_irq: int = -1
    energy_baud: int = 9600
    stream_baud: int = 921_600
    supply_v: tuple[float, ...] = ()
    active_current_ma: tuple[float, ...] = ()
    npu_macs_per_cycle: int = 0
    full: dict[str, int] = field(default_factory=dict)


def names() -> list[str]:
    """The names of all boards, sorted."""
    return plugins.names("boards")


def load(name: str) -> Board:
    """The board of this name, or with all memory of its machine where NAME-full is asked for.

    Raises ConfigError for a board that is not there (lists those that are) or a malformed file.
    """
    entry = read(path_of(name))
    return entry if entry.name == name else _full(entry, name)


def path_of(name: str) -> Path:
    """The file that describes a board. Raises ConfigError for a board that is not there."""
    return plugins.find("boards", name if name in names() else name.removesuffix(FULL)).path


def _full(entry: Board, name: str) -> Board:
    if not set(_SIZES) <= entry.full.keys():
        able = [each + FULL for each in names() if load(each).full]
        raise ConfigError(unknown("the board", name, able))
    symbols = {key: value for key, value in entry.full.items() if key not in _SIZES}
    return replace(
        entry,
        name=name,
        title=f"{entry.title}, with all of its memory",
        transport=entry.transport.replace(entry.name, name),
        symbols={**entry.symbols, **symbols},
        flash_bytes=entry.full["flash_bytes"],
        ram_bytes=entry.full["ram_bytes"],
    )


def larger(board: Board) -> str:
    """What has more memory than `board`, in words."""
    return (
        f"{board.name}{FULL}, which has all of the emulated memory"
        if board.full and not board.name.endswith(FULL)
        else "a board with more memory"
    )


def read(path: Path) -> Board:
    """The board that a TOML file describes; its name is the file's. Raises ConfigError."""
    try:
        value = tomllib.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path.name} should be a readable TOML file", got=str(error)) from error
    _check_keys(path.name, value)
    hints = get_type_hints(Board)
    checked = {key: _checked(path.name, key, content, hints[key]) for key, content in value.items()}
    return Board(name=path.stem, **checked)


def _check_keys(source: str, value: dict[str, Any]) -> None:
    known = {f.name: f.default is MISSING and f.default_factory is MISSING for f in fields(Board) if f.name != "name"}
    missing = [key for key, required in known.items() if required and key not in value]
    unknown = [key for key in value if key not in known]
    if missing or unknown:
        got = "; ".join(
            f"{what} {', '.join(keys)}" for what, keys in (("missing", missing), ("unknown", unknown)) if keys
        )
        raise ConfigError(f"{source} should have the fields of a board", got=got)


def _checked(source: str, key: str, content: object, hint: object) -> Any:  # noqa: ANN401 (a field of any type)
    """`content` if it is valid for a field of type `hint`; TOML arrays become tuples."""
    expected, fits = _RULES[hint]
    if not fits(content):
        raise ConfigError(f"{source}: {key} should be {expected}", got=repr(content))
    return tuple(content) if isinstance(content, list) else content


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_range(value: object) -> bool:
    """Whether it is [low, high] with positive numbers."""
    if not isinstance(value, list) or len(value) != 2 or not all(type(part) in (int, float) for part in value):
        return False
    return bool(0 < value[0] <= value[1] < float("inf"))


def _is_text(value: object) -> bool:
    return isinstance(value, str)


_RULES: dict[object, tuple[str, Callable[[object], bool]]] = {
    int: ("an integer", _is_integer),
    str: ("a string", _is_text),
    How: (f"one of {', '.join(get_args(How))}", lambda value: value in get_args(How)),
    tuple[float, ...]: ("a list of two positive numbers, the lower one first", _is_range),
    tuple[str, ...]: ("a list of strings", lambda value: isinstance(value, list) and all(map(_is_text, value))),
    dict[str, int]: (
        "a table of integers",
        lambda value: isinstance(value, dict) and all(map(_is_integer, value.values())),
    ),
    dict[str, str]: (
        "a table of strings",
        lambda value: isinstance(value, dict) and all(map(_is_text, value.values())),
    ),
}
