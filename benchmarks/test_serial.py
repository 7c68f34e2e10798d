"""The host's side of the wire: how fast a device's lines and a meter's samples are understood.

A board at 115,200 baud sends 11,520 bytes/s, a meter up to 100,000 samples/s; what is decoded slower is lost or late.
"""

from __future__ import annotations

import numpy as np

from firmware_io.monitors.lpm01a.stream import AsciiDecoder, BinaryDecoder, Clock
from firmware_io.protocol.parser import Parser, Ready

CLIP = (
    *[b"m-ready"] * 9,
    b"m-load-done",
    b"m-warmup-start-0",
    b"m-warmup-done",
    b"m-infer-start-1",
    b"m-lap-us-4294967296",
    b"m-lap-us-4295123784",
    b"m-infer-done",
    b"m-results-[0.003,0.000,0.000,0.942,0.000,0.051,0.000,0.000,0.000,0.000,0.003,0.000]",
    b"m-ready",
    b"m-raw-[-12,-128,-40,97,-33,11,-90,-7,-128,-70,-12,-101]",
    b"m-input-crc32-[9f2b77aa]",
    b"m-ready",
)
"""What a device sends for one clip in accuracy mode."""
CLIPS, CHUNK_BYTES = 200, 64
SECONDS, RATE_HZ = 2, 100_000


def test_lines_of_a_device(benchmark):
    stream = b"".join(line + b"\r\n" for line in CLIP) * CLIPS
    chunks = [stream[at : at + CHUNK_BYTES] for at in range(0, len(stream), CHUNK_BYTES)]
    benchmark.extra_info |= {"lines": len(CLIP) * CLIPS, "bytes": len(stream)}

    def parse() -> int:
        parser, ready = Parser(), 0
        for chunk in chunks:
            parser.feed(chunk)
            while (message := parser.take()) is not None:
                ready += isinstance(message, Ready)
        return ready

    assert benchmark(parse) == CLIP.count(b"m-ready") * CLIPS


def words(rate_hz: int) -> bytes:
    """A second of an LPM01A's bin_hexa stream: words of 0x5nnn and the frame of its time stamp."""
    values = 0x5000 | np.random.default_rng(0).integers(256, 4096, rate_hz)
    return values.astype(">u2").tobytes()


def lines(rate_hz: int) -> bytes:
    """A second of its ascii_dec stream."""
    return b"".join(b"%04d-07\r\n" % value for value in np.random.default_rng(0).integers(1000, 9999, rate_hz))


def test_samples_of_a_meter_in_words(benchmark):
    second = words(RATE_HZ)
    benchmark.extra_info |= {"samples": SECONDS * RATE_HZ, "samples_per_s_of_the_meter": RATE_HZ}

    def decode() -> int:
        decoder = BinaryDecoder(Clock(RATE_HZ), 1.0)
        for number in range(SECONDS):
            stamp = b"\xf0\xf3" + (1000 * number).to_bytes(4, "big") + b"\0\xff\xff"
            stream = stamp + second
            for at in range(0, len(stream), 4096):
                decoder.feed(stream[at : at + 4096])
        return sum(len(block) for block in decoder.values)

    assert benchmark(decode) == SECONDS * RATE_HZ


def test_samples_of_a_meter_in_text(benchmark):
    rate_hz = 5_000  # as fast as the instrument sends text
    second = lines(rate_hz)
    benchmark.extra_info |= {"samples": SECONDS * rate_hz, "samples_per_s_of_the_meter": rate_hz}

    def decode() -> int:
        decoder = AsciiDecoder(Clock(rate_hz), 1.0)
        for number in range(SECONDS):
            stream = b"TimeStamp: %03ds 000ms, buff 00%%\r\n" % number + second
            for at in range(0, len(stream), 4096):
                decoder.feed(stream[at : at + 4096])
        return sum(len(block) for block in decoder.values)

    assert benchmark(decode) == SECONDS * rate_hz
