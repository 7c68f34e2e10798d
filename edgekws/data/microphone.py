"""The microphone, through sounddevice (PortAudio): the extra `record`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from edgekws.errors import ConfigError, missing_package

if TYPE_CHECKING:
    from types import ModuleType

_NO_LIBRARY = "apt-get install libportaudio2 (Debian, Ubuntu), or the package portaudio of this system"


class Device(NamedTuple):
    """An input of this computer. rate_hz: its own."""

    number: int
    name: str
    channels: int
    rate_hz: int
    default: bool


class Source(Protocol):
    """What is recorded from. Tests play a file through it."""

    rate_hz: int

    def read(self, count: int) -> np.ndarray:
        """The next `count` samples of one channel, float32 in +-1; waits for them."""
        ...

    def drop(self) -> None:
        """Forget what came in while nobody read."""
        ...


def devices() -> list[Device]:
    """The inputs. Raises MissingPackageError or ConfigError when sounddevice or PortAudio is not installed."""
    sounddevice = _sounddevice()
    default = sounddevice.default.device[0]
    return [
        Device(number, each["name"], each["max_input_channels"], round(each["default_samplerate"]), number == default)
        for number, each in enumerate(sounddevice.query_devices())
        if each["max_input_channels"] > 0
    ]


@contextmanager
def opened(name: str | None) -> Iterator[Source]:
    """The input called or numbered `name`, or the default one, at its own rate. Raises ConfigError as `devices`."""
    sounddevice = _sounddevice()
    device: int | str | None = int(name) if name is not None and name.isdigit() else name
    try:
        rate_hz = round(sounddevice.query_devices(device, "input")["default_samplerate"])
        with sounddevice.InputStream(samplerate=rate_hz, channels=1, dtype="float32", device=device) as stream:
            yield _Stream(stream, rate_hz)
    except (sounddevice.PortAudioError, ValueError) as error:
        hint = "edgekws data record --list shows the inputs; choose one with --input"
        raise ConfigError("there should be a microphone to record from", got=str(error), hint=hint) from error


@contextmanager
def given(
    name: str | None, block_s: float, take: Callable[[np.ndarray, bool], None], end: Callable[[], None]
) -> Iterator[tuple[str, int]]:
    """Gives blocks as they come, on a thread of PortAudio's: (the input's name, its rate in Hz) while it is open.

    take: float32 [n, 1] in +-1, and whether samples before it were lost. end: called when the input ends by itself, as
    one that is unplugged does. Raises ConfigError as `devices`.
    """
    sounddevice = _sounddevice()
    device: int | str | None = int(name) if name is not None and name.isdigit() else name

    def callback(samples: Any, _count: int, _time: Any, status: Any) -> None:  # noqa: ANN401
        take(np.array(samples), bool(status.input_overflow))

    try:
        about = sounddevice.query_devices(device, "input")
        rate_hz = round(about["default_samplerate"])
        options = {"samplerate": rate_hz, "channels": 1, "dtype": "float32", "device": device}
        block = round(rate_hz * block_s)
        with sounddevice.InputStream(**options, blocksize=block, callback=callback, finished_callback=end):
            yield str(about["name"]), rate_hz
    except (sounddevice.PortAudioError, ValueError) as error:
        hint = "edgekws data record --list shows the inputs; choose one with --input"
        raise ConfigError("there should be a microphone to listen to", got=str(error), hint=hint) from error


class _Stream:
    def __init__(self, stream: Any, rate_hz: int) -> None:  # noqa: ANN401
        self._stream, self.rate_hz = stream, rate_hz

    def read(self, count: int) -> np.ndarray:
        samples, _ = self._stream.read(count)
        return np.asarray(samples[:, 0])

    def drop(self) -> None:
        while waiting := self._stream.read_available:
            self._stream.read(waiting)


def _sounddevice() -> ModuleType:
    try:
        import sounddevice
    except ModuleNotFoundError as error:
        raise missing_package(error) or error from error
    except OSError as error:
        raise ConfigError("recording needs the library PortAudio", got=str(error), hint=_NO_LIBRARY) from error
    return sounddevice  # type: ignore[no-any-return]
