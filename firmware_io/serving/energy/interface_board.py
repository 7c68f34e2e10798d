"""An emulated interface board of MLCommons (STM32H573I-DK), as far as keyword spotting uses it.

    dut COMMAND%    ->  m-dut-passthrough(COMMAND), m-ready; then `[dut]: ` before each line of the device
    name%, setbaud N%, checkbaud%

It reads the device only from a command to the device's next m-ready; before that, it keeps 100 bytes. Facts from
mlcommons/tiny @1afd2c9, benchmark/interface/Application: CLI/InterfaceMenu.cpp, CLI/Menu.cpp, IO/Uart.cpp.
"""

from __future__ import annotations

NAME = "tinyML Enhanced Interface Board"
_QUEUE_BYTES = 100
_FIRST_BAUD = 9600
_FASTEST_BAUD = 2_000_000
_READY = b"m-ready"


class EmulatedInterfaceBoard:
    """Between the host and the device. to_host, to_device: what it has sent and the other side has not taken yet."""

    def __init__(self) -> None:
        self.to_host = bytearray()
        self.to_device = bytearray()
        self._commands = b""
        self._kept = b""
        self._relaying = False
        self._baud = _FIRST_BAUD

    @property
    def bytes_per_s(self) -> float:
        """How fast the device's side is: ten bits a byte."""
        return self._baud / 10

    def from_host(self, content: bytes) -> None:
        """Bytes of the host; commands wait while the device answers."""
        self._commands += content
        self._next()

    def from_device(self, content: bytes) -> None:
        """Bytes of the device."""
        self._kept += content
        if self._relaying:
            self._relay()
            self._next()
        if not self._relaying:
            self._kept = self._kept[:_QUEUE_BYTES]

    def _next(self) -> None:
        while not self._relaying and b"%" in self._commands:
            command, _, self._commands = self._commands.partition(b"%")
            self._do(command)

    def _do(self, command: bytes) -> None:
        word, _, rest = command.partition(b" ")
        if word == b"dut":
            self.to_device += rest + b"%"
            self._say(b"m-dut-passthrough(" + rest + b")\r\n")
            self._relaying = True
            self._relay()
        elif word == b"name":
            self._say(NAME.encode() + b"\r\n")
        elif word == b"checkbaud":
            self._say(f"baud is: {self._baud}\n".encode())
        elif word == b"setbaud":
            self._set_baud(rest)
        else:
            self._say(b"")

    def _set_baud(self, text: bytes) -> None:
        """It starts again with the new rate; what it kept of the device is lost."""
        number = int(text) if text.isdigit() else 0
        self._baud = number if 0 < number <= _FASTEST_BAUD else _FIRST_BAUD
        self._commands = self._kept = b""
        self._say(b"set baud to: " + text + b"\n")

    def _say(self, line: bytes) -> None:
        self.to_host += line + _READY + b"\r\n"

    def _relay(self) -> None:
        """Pass on whole lines of the device, up to its m-ready."""
        while self._relaying and b"\r\n" in self._kept:
            line, _, self._kept = self._kept.partition(b"\r\n")
            self.to_host += b"[dut]: " + line + b"\r\n"
            self._relaying = line != _READY
