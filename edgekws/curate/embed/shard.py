"""Embeddings of some clips: decode, batch clips of equal length, run the model. Pure except for reading files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from edgekws.curate.embed import audio as _audio
from edgekws.curate.embed.audio import Skipped
from edgekws.curate.embed.model import Model
from edgekws.curate.embed.source import Source
from edgekws.errors import ConfigError, DataError


@dataclass(frozen=True)
class Settings:
    """clip_ms: length of every clip, 0 for as recorded. batch: clips of one second in a batch; fewer if longer.

    The batch size affects results, because a matrix product may round differently with another number of rows.
    timestamps: a vector per time step of a clip, instead of one per clip.
    """

    clip_ms: int = 1_000
    batch: int = 64
    timestamps: bool = False

    def __post_init__(self) -> None:
        if self.clip_ms < 0 or self.batch < 1:
            got = f"{self.clip_ms} ms, batches of {self.batch}"
            raise ConfigError("clips should have a length of 0 ms or more, batches 1 clip or more", got=got)

    def clip_samples(self, rate_hz: int) -> int | None:
        """Length of every clip; None for as recorded."""
        return max(1, rate_hz * self.clip_ms // 1_000) if self.clip_ms else None

    def batch_of(self, samples: int, rate_hz: int) -> int:
        """Clips in a batch, of clips of so many samples."""
        return max(1, min(self.batch, self.batch * rate_hz // max(1, samples)))


@dataclass(frozen=True)
class Part:
    """ids and vectors, float32 [n, dimensions], of embedded clips, sorted by id; and the skipped clips.

    times_ms: float32 [n], of timestamp embeddings, where a clip has a row per time step.
    """

    ids: tuple[str, ...]
    vectors: np.ndarray
    skipped: tuple[Skipped, ...]
    times_ms: np.ndarray | None = None


def embed_clips(source: Source, ids: Sequence[str], model: Model, settings: Settings) -> Part:
    """Embed these clips. The same ids give the same bytes, whatever was embedded before.

    Raises ConfigError when the model breaks its contract.
    """
    rows_by_clip: dict[str, _Rows] = {}
    skipped: dict[str, str] = {}
    for names, audio in _batches(source, ids, model.rate_hz, settings, skipped):
        for name, rows in zip(names, _rows(model, audio, settings.timestamps), strict=True):
            reason = _unusable(rows)
            if reason:
                skipped[name] = reason
            else:
                rows_by_clip[name] = rows
    left_out = tuple(Skipped(clip, skipped[clip]) for clip in ids if clip in skipped)
    kept = [(clip, *rows_by_clip[clip]) for clip in ids if clip in rows_by_clip]
    size = model.time_dimensions if settings.timestamps else model.dimensions
    vectors = np.concatenate([np.zeros((0, size), np.float32), *(rows for _, rows, _ in kept)])
    times = np.concatenate([np.zeros(0, np.float32), *(at for _, _, at in kept)])
    row_ids = tuple(clip for clip, rows, _ in kept for _ in range(len(rows)))
    return Part(row_ids, vectors, left_out, times if settings.timestamps else None)


_Rows = tuple[np.ndarray, np.ndarray]
"""Of one clip: float32 [rows, size], and float32 [rows], the times in ms (none for scene embeddings)."""


def _rows(model: Model, audio: np.ndarray, timestamps: bool) -> Iterator[_Rows]:
    if timestamps:
        yield from zip(*model.times(audio), strict=True)
    else:
        none = np.zeros(0, np.float32)
        yield from ((vector[None], none) for vector in model.scene(audio))


def _unusable(rows: _Rows) -> str:
    vectors, times = rows
    if not len(vectors):
        return "it should have an embedding. Got: no time at all from the model."
    if not (np.isfinite(vectors).all() and np.isfinite(times).all()):
        return "its embedding should be numbers. Got: NaN or infinity from the model."
    return ""


def _batches(
    source: Source, ids: Sequence[str], rate_hz: int, settings: Settings, skipped: dict[str, str]
) -> Iterator[tuple[list[str], np.ndarray]]:
    """(ids, float32 [n, samples]): clips of one length, in their order."""
    waiting: dict[int, list[tuple[str, np.ndarray]]] = {}
    for clip in ids:
        try:
            audio = _audio.fitted(*source.read(clip), rate_hz, settings.clip_samples(rate_hz))
        except DataError as error:
            skipped[clip] = str(error)
            continue
        group = waiting.setdefault(len(audio), [])
        group.append((clip, audio))
        if len(group) == settings.batch_of(len(audio), rate_hz):
            yield _stacked(waiting.pop(len(audio)))
    yield from map(_stacked, waiting.values())


def _stacked(group: list[tuple[str, np.ndarray]]) -> tuple[list[str], np.ndarray]:
    return [clip for clip, _ in group], np.stack([audio for _, audio in group])


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread, for the same order of summation on every machine; cores are used by processes."""
    import torch
    from threadpoolctl import threadpool_limits

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(before)
