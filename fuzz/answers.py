"""Fuzzes the host's parser of a device's answers: any bytes, split anywhere, give messages or one ProtocolError."""

from __future__ import annotations

import random

from edgekws.errors import ProtocolError
from firmware_io.protocol.message import Message
from firmware_io.protocol.parser import MAX_LINE_BYTES, Parser
from fuzz.npz_inputs import damaged

_LINES = (
    *("m-ready", "m-timestamp-mode-performance", "m-timestamp-mode-energy", "m-init-done", "m-load-done"),
    *("m-name-dut-[edgekws-host]", "m-profile-[ULPMark for tinyML Firmware V0.0.1]", "m-model-[kws01]", "m-lap-us-63"),
    *("m-[Expecting 490 bytes]", "m-buffer-00-fF-12", "m-warmup-start-0", "m-warmup-done", "m-infer-start-70"),
    *("m-infer-done", "m-results-[0.000,0.999,1.000]", "m-raw-[-128,0,127,-9]", "m-input-crc32-[0000beEF]"),
    *("m-check-[0000beef,ffffffff]", "m-check-[0000beEF,00000000]", "m-check-[00000000]"),
    *(
        "e-[Unknown command: x]",
        "Supplied buffer size 491 exceeds maximum of 490",
        "",
        "m-",
        "e-[",
        "e-[]",
        "m-lap-us-",
    ),
    *(
        "m-lap-us-" + "9" * 19,
        "m-lap-us-" + "9" * 20,
        "m-results-[" + "0.001," * 180 + "0.001]",
        "m-raw-[1" + ",1" * 400,
    ),
    *(
        "m-name-dut-[" + "x" * 1011 + "]",
        "m-name-dut-[" + "x" * 1012 + "]",
        "m-buffer-" + "00-" * 330 + "00",
        "x" * 1025,
    ),
)
_LINE_ENDS = (b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r", b"\r\r\n", b"\0", b"")


def attempt(rng: random.Random) -> str:
    content = b"".join(_line(rng) for _ in range(rng.choice((1, 1, 2, 3, 8))))
    if rng.random() < 0.6:
        content = damaged(rng, content)
    whole, pieces = _parsed([content]), _parsed(_split(rng, content))
    assert whole == pieces, "the result depends on how the bytes are split"
    messages, error = whole
    unanswered = content.count(b"\n") - len(messages)
    assert unanswered == 0 if error is None else unanswered >= 0 or len(content) > MAX_LINE_BYTES, (
        "a line without an answer"
    )
    return "refused" if error else "parsed"


def _line(rng: random.Random) -> bytes:
    kind = rng.random()
    if kind < 0.8:
        return rng.choice(_LINES).encode() + rng.choice(_LINE_ENDS)
    if kind < 0.9:
        return bytes(rng.choices(b"m-e[].,0123456789 abcdef\r\n", k=rng.randrange(60)))
    return rng.randbytes(rng.choice((3, 30, 1100)))


def _split(rng: random.Random, content: bytes) -> list[bytes]:
    edges = sorted(rng.choices(range(len(content) + 1), k=rng.randrange(5)))
    return [content[a:b] for a, b in zip([0, *edges], [*edges, len(content)], strict=True)]


def _parsed(pieces: list[bytes]) -> tuple[list[Message], str | None]:
    parser, messages = Parser(), list[Message]()
    try:
        for piece in pieces:
            parser.feed(piece)
            while (message := parser.take()) is not None:
                messages.append(message)
    except ProtocolError as error:
        return messages, _message_of(parser, error)
    return messages, None


def _message_of(parser: Parser, error: ProtocolError) -> str:
    """The text of `error`. Asserts that the parser stays in error and that the text is printable ASCII."""
    parser.feed(b"\r\nm-ready\r\n")
    try:
        parser.take()
    except ProtocolError as again:
        assert str(again) == str(error) and str(error).isascii() and str(error).isprintable()
        return error.expected
    raise AssertionError("a message was parsed after an error")
