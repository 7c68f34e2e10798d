"""What an X-NUCLEO-LPM01A sends while it measures, decoded without I/O.

Two formats (ST UM2269 and the help text of the instrument):

ascii_dec   lines of text
    6409-07                            one sample: 6409 x 10^-7
    TimeStamp: 001s 000ms, buff 00%    once a second: time since the start, load of the transmit buffer
    event 01 ris                       the timestamp pin moved, between the sample before and the one after
    error...                           in the middle of the stream: the acquisition is over
bin_hexa    big-endian words of two bytes
    5 2A0                              one sample: 0x2A0 x 16^-5
    F0 F3 tt tt tt tt bb FF FF         time since the start in ms, load of the transmit buffer in percent
    F0 F1 text FF FF                   an error; F0 F2 text FF FF: information; F0 F5 FF FF: over-current
    F0 F4 FF FF                        the end; text follows
Both end with a summary in text and the line `PowerShield > Acquisition completed`.

Resolution: four decimal digits are +-0.05 % of a sample at worst. Three hexadecimal ones with an exponent of 16
are +-0.2 % at worst (256 to 4095 steps), which averages out for a current that moves and stays for one that does not.
That is why the text is used wherever it is fast enough.

How an event looks in bin_hexa is not in the documents that were at hand; it is taken to be information (F2)
with the text of ascii_dec. NOT TRIED ON AN INSTRUMENT.
"""

from __future__ import annotations

import re
from typing import Protocol

import numpy as np

from edgekws.errors import BoardError

PROMPT = "PowerShield >"
COMPLETED = "Acquisition completed"
LIMIT_AMPERES, LIMIT_VOLTS = 0.5, 3.6  # far more than it can measure and feed: beyond, bytes were misread
_LATE = 1.75  # of the usual time between two stamps
_SILENT_STAMPS = 3  # seconds of samples without a time stamp that cannot be
_SAMPLE = re.compile(r"(\d{4})([+-]\d{2})")
_SAMPLES = re.compile(r"(?:\d{4}[+-]\d{2}\s*)+")
_STAMP = re.compile(r"TimeStamp: (\d+)s (\d+)ms, buff (\d+)%")
_DAMAGED = re.compile(r"[\d+\- ]+|.*[^\x20-\x7e\t].*")  # what was a sample, or never was text
_EVENT = re.compile(r"event \d+ (?:ris|fal)")
_FRAME, _ERROR, _INFORMATION, _TIME, _END, _OVERCURRENT = 0xF0, 0xF1, 0xF2, 0xF3, 0xF4, 0xF5
_NO_SAMPLE = 0xF000  # words from here on begin frames: half a frame at the place of a sample is a lost byte
_TERMINATOR = b"\xff\xff"
_TIME_BYTES = 9
_SIXTEENTHS = 16.0 ** -np.arange(16)


class Decoder(Protocol):
    """feed(content) decodes what came. values: blocks of samples, whose reader may take them out; edges: the
    numbers of the samples in which the pin moved; done: the acquisition has ended.

    Raises BoardError for lost samples, an error of the instrument or bytes that mean nothing; the samples
    before that are in `values`.
    """

    values: list[np.ndarray]
    edges: list[int]
    done: bool

    def feed(self, content: bytes) -> None: ...


class Clock:
    """Proves by the instrument's time stamps that no sample is missing between the first and the last of them.

    tolerance: samples that a stamp may be off; 0 for an instrument that stamps by its sampling clock.
    """

    def __init__(self, rate_hz: float, tolerance: float = 0.0) -> None:
        self._rate_hz = rate_hz
        self._tolerance = tolerance
        self._first: tuple[int, int] | None = None
        self._last_ms, self._last_count = 0, 0
        self._interval_ms = float("inf")  # the shortest between two stamps
        self.fullest_percent = 0

    def stamp(self, ms: int, count: int, buffer_percent: int) -> None:
        """A time stamp came after `count` samples."""
        self.fullest_percent = max(self.fullest_percent, buffer_percent)
        if self._first is None:
            self._first, self._last_ms = (ms, count), ms
        expected = self._first[1] + (ms - self._first[0]) * self._rate_hz / 1000
        if abs(expected - count) > self._tolerance:
            raise self._lost(f"{count} samples where its time stamp of {ms} ms makes it {expected:g}")
        if buffer_percent >= 100:
            raise self._lost("its transmit buffer is full")
        self._check_interval(ms)
        self._last_ms, self._last_count = ms, count

    def _check_interval(self, ms: int) -> None:
        """A stamp that is missing was misread as samples, or samples were lost with it."""
        interval = ms - self._last_ms
        if interval > _LATE * self._interval_ms and not self._tolerance:
            raise self._lost(f"no time stamp for {interval} ms where there was one every {self._interval_ms:g} ms")
        if interval > 0:
            self._interval_ms = min(self._interval_ms, interval)

    def check(self, count: int) -> None:
        """A stamp stands before the first sample; without one for very long something is misread."""
        if self._first is None and count:
            raise self._lost("samples before the first time stamp")
        if count - self._last_count > max(_SILENT_STAMPS * self._rate_hz, 2):
            raise self._lost(f"{count - self._last_count} samples without a time stamp")

    def _lost(self, got: str) -> BoardError:
        return BoardError(
            "the LPM01A should deliver every sample",
            got=f"{got} (its buffer was {self.fullest_percent} % full at most)",
            hint="measure again with a lower rate_hz, or on a computer that is less busy; if it fails always and "
            "only by a few samples, this firmware stamps by another clock: add ?stamps=loose",
        )


class AsciiDecoder:
    def __init__(self, clock: Clock, limit: float) -> None:
        """limit: a sample beyond it is a misread one."""
        self.values: list[np.ndarray] = []
        self.edges: list[int] = []
        self.done = False
        self._clock, self._limit = clock, limit
        self._count = 0
        self._pending = b""
        self._row: list[float] = []

    def feed(self, content: bytes) -> None:
        *lines, self._pending = (self._pending + content).split(b"\n")
        try:
            for line in lines:
                self._line(line.decode("latin-1").replace("\0", "").strip())
        finally:
            if self._row:
                self.values.append(np.array(self._row))
                self._row = []

    def _line(self, line: str) -> None:
        if _SAMPLES.fullmatch(line):
            self._samples(line)
        elif "Stamp" in line:
            self._stamp(line)
        elif _EVENT.search(line):
            self.edges.append(self._count)
        elif _DAMAGED.fullmatch(line):
            raise _garbage(line)
        else:
            self.done |= _text(line, self._clock)

    def _stamp(self, line: str) -> None:
        found = _STAMP.fullmatch(line)
        if not found:
            raise _garbage(line)
        seconds, ms, percent = map(int, found.groups())
        self._clock.stamp(seconds * 1000 + ms, self._count, percent)

    def _samples(self, line: str) -> None:
        for mantissa, exponent in _SAMPLE.findall(line):
            value = float(f"{mantissa}e{exponent}")
            if value > self._limit:
                raise _garbage(line)
            self._row.append(value)
            self._count += 1
        self._clock.check(self._count)


class BinaryDecoder:
    def __init__(self, clock: Clock, limit: float) -> None:
        self.values: list[np.ndarray] = []
        self.edges: list[int] = []
        self.done = False
        self._clock, self._limit = clock, limit
        self._count = 0
        self._pending = b""
        self._text, self._ended = True, False  # text before the first frame and after the last one

    def feed(self, content: bytes) -> None:
        self._pending += content
        start = 0
        while (taken := self._take(start)) > 0:
            start += taken
        self._pending = self._pending[start:]

    def _take(self, start: int) -> int:
        """Decode what begins at `start` of what is pending; give its bytes, 0 when more is needed."""
        if self._text:
            return self._take_text(start)
        if self._pending[start : start + 1] == bytes([_FRAME]):
            return self._take_frame(start)
        return self._take_samples(start)

    def _take_text(self, start: int) -> int:
        if not self._ended and self._pending[start : start + 1] == bytes([_FRAME]):
            self._text = False
            return self._take_frame(start)
        newline = self._pending.find(b"\n", start)
        if newline < 0:
            return 0
        line = self._pending[start:newline].decode("latin-1").replace("\0", "").strip()
        self.done |= _text(line, self._clock)
        return newline + 1 - start

    def _take_samples(self, start: int) -> int:
        words = np.frombuffer(self._pending, ">u2", (len(self._pending) - start) // 2, start)
        frames = np.flatnonzero(words >> 8 == _FRAME)
        words = words[: frames[0]] if frames.size else words
        values = (words & 0xFFF) * _SIXTEENTHS[words >> 12]
        beyond = np.flatnonzero((values > self._limit) | (words >= _NO_SAMPLE))
        if beyond.size:
            self._append(values[: beyond[0]])
            raise _garbage(words[beyond[0] : beyond[0] + 8].tobytes().hex(" ", 2))
        self._append(values)
        self._clock.check(self._count)
        return 2 * len(words)

    def _append(self, values: np.ndarray) -> None:
        if values.size:
            self.values.append(values)
            self._count += values.size

    def _take_frame(self, start: int) -> int:
        if len(self._pending) < start + 2:
            return 0
        kind = self._pending[start + 1]
        if kind == _TIME:
            return self._take_time(start)
        if not _ERROR <= kind <= _OVERCURRENT:
            raise _garbage(self._pending[start : start + 16].hex(" ", 2))
        end = self._pending.find(_TERMINATOR, start + 2)
        if end < 0:
            return 0
        self._meta(kind, self._pending[start + 2 : end].decode("latin-1").strip("\0\r\n "))
        return end + len(_TERMINATOR) - start

    def _take_time(self, start: int) -> int:
        frame = self._pending[start : start + _TIME_BYTES]
        if len(frame) < _TIME_BYTES:
            return 0
        if not frame.endswith(_TERMINATOR):
            raise _garbage(frame.hex(" ", 2))
        self._clock.stamp(int.from_bytes(frame[2:6], "big"), self._count, frame[6])
        return _TIME_BYTES

    def _meta(self, kind: int, text: str) -> None:
        if kind == _OVERCURRENT:
            raise _stopped("over-current", self._clock)
        if kind == _ERROR:
            raise _stopped(text or "an error without a text", self._clock)
        if kind == _END:
            self._text = self._ended = True
        elif _EVENT.search(text):
            self.edges.append(self._count)


def _text(line: str, clock: Clock) -> bool:
    """A line that is no data: True for the end of the acquisition. Raises BoardError for the instrument's errors."""
    line = line.removeprefix(PROMPT).strip()
    if re.match(r"error|overcurrent|over-current|buffer overflow", line, re.IGNORECASE):
        raise _stopped(line, clock)
    return line.startswith(COMPLETED)


def _stopped(text: str, clock: Clock) -> BoardError:
    return BoardError(
        "the LPM01A should measure until it is stopped",
        got=f"it stopped with: {text} (its buffer was {clock.fullest_percent} % full at most)",
        hint="it measures up to 50 mA: feed the board's other parts from elsewhere; for a full buffer lower rate_hz",
    )


def _garbage(shown: str) -> BoardError:
    return BoardError(
        "the LPM01A should send samples in the format it was asked for",
        got=f"bytes that mean nothing or no current it can measure: {shown[:60]!r}",
        hint="a byte was lost, or another program reads this port: close it, use another cable, measure again",
    )
