"""Selection from data larger than memory: `select` chooses from a folder of parquet shards.

    shards (float, any layout) -> build -> store (int8, sorted by hash) -> method -> Chosen

Each step is a pure function that an engine maps over pieces, followed by a commutative merge. The selection is
therefore the same for any sharding, engine, number of workers and memory limit, and on any machine, because all
arithmetic is exact or rounds in a single defined way. The finished steps of a killed run are kept and reused.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from edgekws import machine, plugins
from edgekws.curate import workers as engines
from edgekws.curate.select import Selection
from edgekws.curate.shards import build, memory, source
from edgekws.curate.shards.greedy import candidates
from edgekws.curate.shards.run import Method, Picks, Plan, Run, plan, working_in
from edgekws.curate.shards.source import Shard
from edgekws.curate.shards.store import Layout, Store
from edgekws.errors import ConfigError
from edgekws.files import write_json
from edgekws.types import Progress

_KIND = "shard_methods"
_MAX_LISTED_WORDS = 20


@dataclass(frozen=True)
class Chosen:
    """ids: in the order of selection; words: spoken in each. The other fields are for reports.

    measure, value: the objective that the method maximized. weights: number of clips that each selected clip
    represents, or empty. rows: clips to select from; left_out: clips with all-zero vectors. peak_bytes: peak memory
    of all processes together.
    """

    ids: tuple[str, ...]
    words: tuple[str, ...]
    method: str
    size: int
    seed: int
    rows: int
    left_out: int
    measure: str
    value: float
    weights: tuple[int, ...]
    counts: dict[str, int]
    store_sha256: str
    engine: str
    workers: int
    peak_bytes: int
    seconds: dict[str, float]

    def selection(self, targets: tuple[str, ...]) -> Selection:
        """As a Selection for a detector of these words."""
        by_target = {t: tuple(i for i, word in zip(self.ids, self.words, strict=True) if word == t) for t in targets}
        others = tuple(i for i, word in zip(self.ids, self.words, strict=True) if word not in by_target)
        return Selection(by_target, others)

    def to_json(self) -> dict[str, Any]:
        return {"kind": "edgekws-scale-selection", "version": 1, **asdict(self)}


def select(
    folder: Path,
    method: str,
    size: int,
    seed: int,
    memory_bytes: int | None = None,
    engine: str = "process",
    progress: Progress = lambda *_: None,
    *,
    work: Path | None = None,
    workers: int | None = None,
    layout: Layout | None = None,
    targets: tuple[str, ...] = (),
) -> Chosen:
    """Select `size` clips of the shards in `folder`.

    work: folder of the working copy (1 byte per number) and of the state of a killed run; default `<folder>.work`.
    memory_bytes: of all processes together; default half of the free memory. Used for planning, not enforced.
    targets: words that must occur, so that a misspelt one is refused before the selection.
    workers: concurrent tasks; default one per core, and fewer where memory_bytes is not enough.
    A script needs `if __name__ == "__main__":` around this call, as for every process pool.
    Raises DataError (shards), ConfigError (options, packages, too little memory), ArtifactError (the working copy).
    """
    choose, layout = load_method(method), layout or Layout()
    if size < 1:
        raise ConfigError("the size of a selection should be 1 or more", got=f"{size:,}")
    folder = folder.resolve()  # a killed run is recognized from any current directory
    work = work or folder.with_name(f"{folder.name}.work")
    shards = source.shards(folder)
    amount = memory.default_bytes() if memory_bytes is None else memory_bytes
    limits = _plan_for(shards, size, amount, layout, workers or machine.cores())
    with working_in(work), engines.start(engine, limits.workers) as running:
        began = time.monotonic()
        store = build.build(folder, work, running, layout, progress, shards)
        _check(store, size, targets)
        built_at = time.monotonic()
        run = Run(store, running, _run_folder(work, store, method, size, seed), limits, progress)
        picks = choose(run, size, seed)
        seconds = {"store": built_at - began, "method": time.monotonic() - built_at}
        peak = running.peak_bytes() + engines.own_peak_bytes()
        result = _chosen(run, picks, (method, size, seed), engine, peak, seconds)
        write_json(run.folder / "selection.json", result.to_json())
    return result


def method_names() -> list[str]:
    """The methods there are, sorted."""
    return plugins.names(_KIND)


def load_method(name: str) -> Method:
    """Raises ConfigError that lists the methods there are."""
    return cast(Method, plugins.load(_KIND, name).choose)


def described_methods() -> dict[str, str]:
    """Name -> what it does, in one line."""
    return plugins.described(_KIND)


def _check(store: Store, size: int, targets: tuple[str, ...]) -> None:
    if size > store.rows:
        raise ConfigError(f"a selection should have at most the {store.rows:,} available clips", got=f"{size:,}")
    unknown = [word for word in targets if word not in store.words]
    if unknown:
        words = sorted(store.words)
        some = ", ".join(words[:_MAX_LISTED_WORDS]) + (
            f" and {len(words) - _MAX_LISTED_WORDS} more" if len(words) > _MAX_LISTED_WORDS else ""
        )
        raise ConfigError("a target should be a word of these clips", got=unknown[0], hint=f"give one of {some}")


def _plan_for(shards: tuple[Shard, ...], size: int, memory_bytes: int, layout: Layout, workers: int) -> Plan:
    rows = sum(shard.rows for shard in shards)
    return plan(rows, source.dimensions(shards), min(rows, candidates(size)), layout, memory_bytes, workers)


def _run_folder(work: Path, store: Store, method: str, size: int, seed: int) -> Path:
    """The folder for the state of this selection; the state of other selections is removed."""
    identity = json.dumps([store.fingerprint(), method, size, seed])
    folder = work / "runs" / hashlib.sha256(identity.encode()).hexdigest()[:16]
    for old in folder.parent.glob("*"):
        if old != folder:
            shutil.rmtree(old)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _chosen(
    run: Run, picks: Picks, request: tuple[str, int, int], engine: str, peak: int, seconds: dict[str, float]
) -> Chosen:
    store, (method, size, seed) = run.store, request
    numbers = np.concatenate([store.word_numbers(part) for part in range(len(store.parts))])[picks.rows]
    return Chosen(
        ids=tuple(store.ids(picks.rows)),
        words=tuple(store.words[number] for number in numbers),
        method=method,
        size=size,
        seed=seed,
        rows=store.rows,
        left_out=store.left_out,
        measure=picks.measure,
        value=picks.value,
        weights=tuple(map(int, picks.weights)) if picks.weights is not None else (),
        counts=run.counts,
        store_sha256=store.fingerprint(),
        engine=engine,
        workers=run.engine.workers,
        peak_bytes=peak,
        seconds={name: round(value, 3) for name, value in seconds.items()},
    )
