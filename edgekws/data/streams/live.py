"""The microphone as a stream of blocks. It never waits for the reader: what cannot be kept is lost, and counted."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from edgekws.data import audio, microphone
from edgekws.data.streams.source import Source

BLOCK_S = 0.1
_KEPT_BLOCKS = 100
"""Blocks that wait for a slow reader: ten seconds."""
_SILENT_S = 5.0
"""Without any block for this long, the input is gone; some systems say nothing about it."""
GONE = "the microphone is gone: what came before was heard"


class Capture:
    """Blocks float32 [n, 1] between the thread of the microphone and the reader, who iterates once.

    dropped: blocks that were lost so far, before they came here or because the reader was too slow. faults: complete
    when the iteration ends.
    """

    def __init__(self) -> None:
        self.dropped = 0
        self.faults: list[str] = []
        self._blocks: queue.Queue[np.ndarray | None] = queue.Queue(_KEPT_BLOCKS)
        self._is_over = False

    def take(self, block: np.ndarray, is_after_loss: bool) -> None:
        """A block of the microphone. is_after_loss: the system lost samples before it."""
        self.dropped += is_after_loss
        try:
            self._blocks.put_nowait(block)
        except queue.Full:
            self.dropped += 1

    def end(self) -> None:
        """The microphone ended by itself."""
        self._is_over = True
        try:
            self._blocks.put_nowait(None)
        except queue.Full:
            return  # the reader finds _is_over after what it has to read

    def __iter__(self) -> Iterator[np.ndarray]:
        while True:
            try:
                block = self._blocks.get(timeout=0.0 if self._is_over else _SILENT_S)
            except queue.Empty:
                block = None
            if block is None:
                self.faults.append(GONE)
                return
            yield block


@contextmanager
def opened(name: str | None, rate_hz: int) -> Iterator[tuple[Source, Capture]]:
    """The input called or numbered `name`, or the default one, at `rate_hz`. Raises as microphone.given."""
    capture = Capture()
    with microphone.given(name, BLOCK_S, capture.take, capture.end) as (found, own_hz):
        audio.require_rate(own_hz, found)
        yield Source(found, rate_hz, own_hz, 1, capture, faults=capture.faults), capture
