"""Decoders for the sample stream of an X-NUCLEO-LPM01A. No I/O.

Two formats (ST UM2269 and the help text of the instrument):

ascii_dec   lines of text
    6409-07                            one sample: 6409 x 10^-7
    TimeStamp: 001s 000ms, buff 00%    once a second: time since the start, load of the transmit buffer
    event 01 ris                       the timestamp pin moved, between the sample before and the one after
    error...                           in the middle of the stream: the acquisition has ended
bin_hexa    big-endian words of two bytes
    5 2A0                              one sample: 0x2A0 x 16^-5
    F0 F3 tt tt tt tt bb FF FF         time since the start in ms, load of the transmit buffer in percent
    F0 F1 text FF FF                   an error; F0 F2 text FF FF: information; F0 F5 FF FF: over-current
    F0 F4 FF FF                        the end; text follows
Both end with a summary in text and the line `PowerShield > Acquisition completed`.

Resolution: four decimal digits are +-0.05 % of a sample at worst. Three hexadecimal digits with a power of 16 are
+-0.2 % at worst (256 to 4095 steps), which averages out for a varying current but not for a constant one.
Therefore text is used wherever it is fast enough.

The format of an event in bin_hexa is not in the documents that we had; it is assumed to be information (F2) with the
text of ascii_dec. NOT TRIED ON AN INSTRUMENT.
"""

from __future__ import annotations

import re
from typing import Protocol

import numpy as np

from edgekws.errors import BoardError

PROMPT = "PowerShield >"
COMPLETED = "Acquisition completed"
LIMIT_AMPERES, LIMIT_VOLTS = 0.5, 3.6  # far above its ranges: a larger value is a misread one
_LATE = 1.75  # of the usual time between two stamps
_SILENT_STAMPS = 3  # seconds of samples without a time stamp that mean a fault
_SAMPLE = re.compile(r"(\d{4})([+-]\d{2})")
_SAMPLES = re.compile(r"(?:\d{4}[+-]\d{2}\s*)+")
_STAMP = re.compile(r"TimeStamp: (\d+)s (\d+)ms, buff (\d+)%")
_DAMAGED = re.compile(r"[\d+\- ]+|.*[^\x20-\x7e\t].*")  # what was a sample, or never was text
_EVENT = re.compile(r"event \d+ (?:ris|fal)")
_FRAME, _ERROR, _INFORMATION, _TIME, _END, _OVERCURRENT = 0xF0, 0xF1, 0xF2, 0xF3, 0xF4, 0xF5
_NO_SAMPLE = 0xF000  # larger words begin frames; one at the place of a sample means that a byte was lost
_TERMINATOR = b"\xff\xff"
_TIME_BYTES = 9
_SIXTEENTHS = 16.0 ** -np.arange(16)


class Decoder(Protocol):
    """values: blocks of decoded samples (A or J), float64, which the reader removes. done: the acquisition has ended.

    edges: numbers of the samples in which the pin moved, which the reader removes as well.
    """

    values: list[np.ndarray]
    edges: list[int]
    done: bool

    def feed(self, content: bytes) -> None:
        """Decode received bytes.

        Raises BoardError for lost samples, an error of the instrument or invalid bytes; the samples before that are in
        `values`.
        """


class Clock:
    """Verifies by the instrument's time stamps that no sample is missing between the first and the last of them.

    tolerance: deviation of a stamp in samples; 0 for an instrument whose stamps use its sampling clock.
    """

    def __init__(self, rate_hz: float, tolerance: float = 0.0) -> None:
        self._rate_hz = rate_hz
        self._tolerance = tolerance
        self._first: tuple[int, int] | None = None
        self._last_ms, self._last_count = 0, 0
        self._interval_ms = float("inf")  # the shortest between two stamps
        self.fullest_percent = 0

    def stamp(self, ms: int, count: int, buffer_percent: int) -> None:
        """A time stamp arrived after `count` samples. Raises BoardError when samples are missing."""
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
        """A missing stamp was misread as samples, or samples were lost with it."""
        interval = ms - self._last_ms
        if interval > _LATE * self._interval_ms and not self._tolerance:
            raise self._lost(f"no time stamp for {interval} ms where there was one every {self._interval_ms:g} ms")
        if interval > 0:
            self._interval_ms = min(self._interval_ms, interval)

    def check(self, count: int) -> None:
        """Raises BoardError for samples before the first stamp, or too many without one."""
        if self._first is None and count:
            raise self._lost("samples before the first time stamp")
        if count - self._last_count > max(_SILENT_STAMPS * self._rate_hz, 2):
            raise self._lost(f"{count - self._last_count} samples without a time stamp")

    def _lost(self, got: str) -> BoardError:
        return BoardError(
            "the LPM01A should deliver every sample",
            got=f"{got} (its buffer was {self.fullest_percent} % full at most)",
            hint="measure again with a lower rate_hz, or on a less busy computer; if it always fails by a few samples, "
            "the stamps of this firmware use another clock: add ?stamps=loose",
        )


class AsciiDecoder:
    """Decoder of the format ascii_dec."""

    def __init__(self, clock: Clock, limit: float) -> None:
        """limit: a larger sample is a misread one."""
        self.values: list[np.ndarray] = []
        self.edges: list[int] = []
        self.done = False
        self._clock, self._limit = clock, limit
        self._count = 0
        self._pending = b""
        self._row: list[float] = []

    def feed(self, content: bytes) -> None:
        """As Decoder.feed; an incomplete line is kept for the next call."""
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
            raise _invalid(line)
        else:
            self.done |= _text(line, self._clock)

    def _stamp(self, line: str) -> None:
        match = _STAMP.fullmatch(line)
        if not match:
            raise _invalid(line)
        seconds, ms, percent = map(int, match.groups())
        self._clock.stamp(seconds * 1000 + ms, self._count, percent)

    def _samples(self, line: str) -> None:
        for mantissa, exponent in _SAMPLE.findall(line):
            value = float(f"{mantissa}e{exponent}")
            if value > self._limit:
                raise _invalid(line)
            self._row.append(value)
            self._count += 1
        self._clock.check(self._count)


class BinaryDecoder:
    """Decoder of the format bin_hexa."""

    def __init__(self, clock: Clock, limit: float) -> None:
        """limit: a larger sample is a misread one."""
        self.values: list[np.ndarray] = []
        self.edges: list[int] = []
        self.done = False
        self._clock, self._limit = clock, limit
        self._count = 0
        self._pending = b""
        self._text, self._ended = True, False  # text before the first frame and after the last one

    def feed(self, content: bytes) -> None:
        """As Decoder.feed; an incomplete word or frame is kept for the next call."""
        self._pending += content
        start = 0
        while (taken := self._take(start)) > 0:
            start += taken
        self._pending = self._pending[start:]

    def _take(self, start: int) -> int:
        """Decode the element at `start` of the pending bytes; returns its length, 0 when it is incomplete."""
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
            raise _invalid(words[beyond[0] : beyond[0] + 8].tobytes().hex(" ", 2))
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
            raise _invalid(self._pending[start : start + 16].hex(" ", 2))
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
            raise _invalid(frame.hex(" ", 2))
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
    """Handle a line of text: True at the end of the acquisition. Raises BoardError for an error of the instrument."""
    line = line.removeprefix(PROMPT).strip()
    if re.match(r"error|overcurrent|over-current|buffer overflow", line, re.IGNORECASE):
        raise _stopped(line, clock)
    return line.startswith(COMPLETED)


def _stopped(text: str, clock: Clock) -> BoardError:
    return BoardError(
        "the LPM01A should measure until it is stopped",
        got=f"it stopped with: {text} (its buffer was {clock.fullest_percent} % full at most)",
        hint="it measures up to 50 mA: power other parts of the board separately; for a full buffer lower rate_hz",
    )


def _invalid(shown: str) -> BoardError:
    return BoardError(
        "the LPM01A should send samples in the format it was asked for",
        got=f"invalid bytes or an impossible current: {shown[:60]!r}",
        hint="a byte was lost, or another program reads this port: close it, use another cable, measure again",
    )
