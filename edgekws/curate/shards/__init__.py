"""The data track for data larger than memory: `select` chooses from a folder of parquet shards.

    shards (float, as people have them) -> build -> store (int8, in the order of hashes) -> method -> Chosen

Each step is a pure function over pieces that an engine maps, and a merge that does not mind order: the choice is
the same for any sharding, any engine, any number of workers and any memory; and, because all arithmetic is exact
or rounds in one way, on any machine. What a killed run has done is kept beside its data.
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
_SHOWN = 20


@dataclass(frozen=True)
class Chosen:
    """ids: in the order of choice; words: what each says. The rest is for reports.

    measure, value: what the method made as large as it could. weights: clips that each choice stands for, or empty.
    rows: clips to choose from; left_out: clips of all-zero vectors. peak_bytes: most memory of all processes.
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
        """The same choice for a detector of some words."""
        named = {t: tuple(i for i, word in zip(self.ids, self.words, strict=True) if word == t) for t in targets}
        others = tuple(i for i, word in zip(self.ids, self.words, strict=True) if word not in named)
        return Selection(named, others)

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
    """Choose `size` clips of the shards in `folder`.

    work: where the working copy (1 byte per number) and the state of a killed run lie; default `<folder>.work`.
    memory_bytes: of all processes together; default half of what is free. A limit of plans, not one that is enforced.
    targets: words that clips have to say, so that a typing error ends the run before the choice.
    workers: tasks at once; default the processors there are, and fewer where memory_bytes does not allow so many.
    A script that is started as such needs `if __name__ == "__main__":` around this, as for every pool of processes.
    Raises DataError (shards), ConfigError (options, packages, too little memory), ArtifactError (the working copy).
    """
    choose, layout = load_method(method), layout or Layout()
    if size < 1:
        raise ConfigError("the size of a selection should be 1 or more", got=f"{size:,}")
    folder = folder.resolve()  # a killed run is known again from any current directory
    work = work or folder.with_name(f"{folder.name}.work")
    found = source.shards(folder)
    amount = memory.usual_bytes() if memory_bytes is None else memory_bytes
    limits = _planned(found, size, amount, layout, workers or machine.cores())
    with working_in(work), engines.start(engine, limits.workers) as running:
        began = time.monotonic()
        store = build.build(folder, work, running, layout, progress, found)
        _check(store, size, targets)
        built = time.monotonic()
        run = Run(store, running, _run_folder(work, store, method, size, seed), limits, progress)
        picks = choose(run, size, seed)
        seconds = {"store": built - began, "method": time.monotonic() - built}
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
        raise ConfigError(f"a selection should have at most the {store.rows:,} clips there are", got=f"{size:,}")
    unknown = [word for word in targets if word not in store.words]
    if unknown:
        words = sorted(store.words)
        some = ", ".join(words[:_SHOWN]) + (f" and {len(words) - _SHOWN} more" if len(words) > _SHOWN else "")
        raise ConfigError("a target should be a word of these clips", got=unknown[0], hint=f"give one of {some}")


def _planned(found: tuple[Shard, ...], size: int, memory_bytes: int, layout: Layout, workers: int) -> Plan:
    rows = sum(shard.rows for shard in found)
    return plan(rows, source.dimensions(found), min(rows, candidates(size)), layout, memory_bytes, workers)


def _run_folder(work: Path, store: Store, method: str, size: int, seed: int) -> Path:
    """Where the state of this very selection lies; that of others, which nobody will go on with, is removed."""
    said = json.dumps([store.fingerprint(), method, size, seed])
    folder = work / "runs" / hashlib.sha256(said.encode()).hexdigest()[:16]
    for old in folder.parent.glob("*"):
        if old != folder:
            shutil.rmtree(old)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _chosen(
    run: Run, picks: Picks, asked: tuple[str, int, int], engine: str, peak: int, seconds: dict[str, float]
) -> Chosen:
    store, (method, size, seed) = run.store, asked
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
