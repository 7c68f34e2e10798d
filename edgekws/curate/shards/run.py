"""The context of a method: a store, an engine, and a folder for state that survives a kill; and its picks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from edgekws.curate.shards.store import Layout, Store
from edgekws.curate.workers import Engine
from edgekws.errors import ConfigError
from edgekws.files import npz_arrays, npz_bytes, read_content, write_bytes
from edgekws.files.locks import exclusive
from edgekws.files.os_errors import unwritable
from edgekws.types import Progress

_BASE_BYTES = 150 << 20
"""Python, NumPy and Arrow, before any work: measured."""
_BYTES_PER_CLIP = 40
"""Memory of the main process per clip: hash, word, state, and copies during sorting."""


@dataclass(frozen=True)
class Plan:
    """How much is processed at once. It does not affect the selection."""

    workers: int
    cached_rows: int
    """Number of clips that k-center holds as float32 between two passes."""
    stored_similarities: int
    """Maximum number of clips whose pairwise similarities are stored."""
    memory_bytes: int


@dataclass(frozen=True)
class Run:
    """The context of a method. folder: of its state; progress: called during the run."""

    store: Store
    engine: Engine
    folder: Path
    plan: Plan
    progress: Progress
    counts: dict[str, int] = field(default_factory=dict)
    """Counters for the report: passes, candidates."""

    def saved(self, name: str) -> dict[str, np.ndarray] | None:
        """The arrays that `save` wrote in this run or in a killed one; None when there are none."""
        path = self.folder / f"{name}.npz"
        if not path.exists():
            return None
        hint = f"delete {self.folder}; the run then starts again"
        return npz_arrays(read_content(path, "the state of a run", hint), f"{path}: the state of a run", hint)

    def save(self, name: str, **arrays: np.ndarray) -> None:
        """Save arrays of any shape for `saved`, until another selection uses this folder."""
        write_bytes(self.folder / f"{name}.npz", npz_bytes(arrays))

    def map_parts(self, function: Callable[[Any], Any], task: Callable[[int], Any], what: str) -> dict[int, Any]:
        """A pure function over every part: part -> partial. Partials of disjoint parts merge as dicts do."""
        partials: dict[int, Any] = {}
        total = len(self.store.parts)
        self.progress(what, 0, total)
        for part, partial in self.engine.map(function, map(task, range(total))):
            partials |= {part: partial}
            self.progress(what, len(partials), total)
        return partials

    def map_kept(
        self, function: Callable[[Any], dict[str, np.ndarray]], task: Callable[[int], Any], name: str, what: str
    ) -> dict[int, dict[str, np.ndarray]]:
        """As map_parts, for slow partials: each is saved, so that a killed run does not repeat them."""
        total = len(self.store.parts)
        partials = {part: known for part in range(total) if (known := self.saved(f"{name}-{part:05}")) is not None}
        missing = [part for part in range(total) if part not in partials]
        self.progress(what, len(partials), total)
        for index, partial in self.engine.map(function, map(task, missing)):
            part = missing[index]
            self.save(f"{name}-{part:05}", **partial)
            partials |= {part: partial}
            self.progress(what, len(partials), total)
        return partials


@dataclass(frozen=True)
class Picks:
    """rows: int64 [size], rows of the store in the order of choice. value: what the method made as large as it
    could, in `measure`; NaN when it has no such thing. weights: clips that each pick stands for, when it knows."""

    rows: np.ndarray
    measure: str = ""
    value: float = float("nan")
    weights: np.ndarray | None = None


Method = Callable[[Run, int, int], Picks]


def plan(rows: int, dimensions: int, held: int, layout: Layout, memory_bytes: int, workers: int) -> Plan:
    """held: number of clips whose vectors the main process needs at once.

    Raises ConfigError that names the least memory when `memory_bytes` is not enough for one worker.
    """
    lead = _BASE_BYTES + rows * _BYTES_PER_CLIP + 5 * held * dimensions
    worker = worker_bytes(dimensions, layout)
    least = lead + worker
    if memory_bytes < least:
        raise ConfigError(
            f"--memory should be {least / 1e6:,.0f} MB or more for {rows:,} clips of {dimensions:,} numbers",
            got=f"{memory_bytes / 1e6:,.0f} MB" if memory_bytes >= 1e6 else f"{memory_bytes:,} bytes",
            hint="give more, or omit it for half of the free memory",
        )
    count = max(1, min(workers, (memory_bytes - lead) // worker))
    spare = memory_bytes - lead - count * worker + worker // 2
    cached = int(np.clip(spare // 4 // (5 * dimensions), 256, 1 << 15))
    return Plan(int(count), cached, int(max(256, (spare / 8) ** 0.5)), memory_bytes)


def worker_bytes(dimensions: int, layout: Layout) -> int:
    """Peak of a worker: a part twice as int8, or a block's similarities as float32 and on the grid."""
    sorting = 2 * layout.part_rows * (dimensions + 300) + (48 << 20)
    pairs = layout.block_rows**2 * 12 + layout.block_rows * dimensions * 10
    return _BASE_BYTES + max(sorting, pairs)


@contextmanager
def working_in(work: Path) -> Iterator[None]:
    """One run at a time in a folder. An OSError inside, such as a full disk, is an ArtifactError."""
    try:
        with exclusive(work):
            yield
    except OSError as error:
        path = Path(error.filename) if isinstance(error.filename, str) else work
        raise unwritable(path, error, "another folder with --work") from error
