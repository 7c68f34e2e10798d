"""The bytes of a frame."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_io.listening import frames
from firmware_io.listening.sending import parts


@given(st.binary(max_size=1000))
def test_stuffed_bytes_have_no_zero_and_come_back(content: bytes) -> None:
    stuffed = frames.stuffed(content)
    assert 0 not in stuffed and frames.restored(stuffed) == content
    assert len(stuffed) <= len(content) + len(content) // 254 + 1


@pytest.mark.parametrize("size", [0, 1, 253, 254, 255, 508, 509])
@pytest.mark.parametrize("byte", [0, 1, 255])
def test_runs_around_the_longest_block(size: int, byte: int) -> None:
    content = bytes([byte]) * size
    for text in (content, content + b"\0", b"\0" + content, content + b"\1"):
        assert frames.restored(frames.stuffed(text)) == text


def test_a_frame_of_samples_is_what_the_firmware_describes() -> None:
    frame = frames.audio(0x10203, np.array([1, -2], np.int16))
    assert frame[-1] == 0 and 0 not in frame[:-1]
    content = frames.restored(frame[:-1])
    assert content[:8] == struct.pack("<BBHhh", 1, 0, 0x0203, 1, -2)
    assert content[8:] == struct.pack("<I", zlib.crc32(content[:8]))


@given(st.lists(st.integers(0, 9), max_size=8), st.integers(1, 7))
def test_blocks_of_any_length_become_frames_of_one(lengths: list[int], size: int) -> None:
    samples = np.arange(sum(lengths), dtype=np.int16)
    made = list(parts(iter(np.split(samples, np.cumsum(lengths[:-1]))) if lengths else iter(()), size))
    assert [len(part) for part in made[:-1]] == [size] * (len(made) - 1)
    assert np.array_equal(np.concatenate([*made, samples[:0]]), samples)
