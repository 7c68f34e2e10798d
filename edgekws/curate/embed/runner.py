"""From a folder of recordings to a folder of embeddings: plan, embed what is missing, merge words."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from itertools import chain
from pathlib import Path
from typing import Any

from edgekws import machine
from edgekws.curate.embed import parts as _parts
from edgekws.curate.embed.audio import Skipped
from edgekws.curate.embed.model import Model, ModelSpec, identity, open_model
from edgekws.curate.embed.pool import PROCESS, Work, embedded, require
from edgekws.curate.embed.shard import Settings
from edgekws.curate.embed.source import Shard, Source, Word, open_source, shards, stamp_of
from edgekws.curate.embed.store import Index, Store
from edgekws.errors import ConfigError, DataError
from edgekws.types import Progress

SHARD_CLIPS = 256
"""Clips of a shard, the most that a killed run loses per worker. With timestamps, which are many per clip, a batch."""
_ALGORITHM = 1
"""Increase when decoded samples or the built-in models' outputs change: older runs are not continued."""
_SHOWN = 5
_PACKAGES = ("edgekws", "numpy", "torch", "scipy", "soundfile", "transformers")
"""Packages that may change results; their versions are in the index."""


@dataclass(frozen=True)
class Request:
    """source: a folder of word folders, or a prepared data set with its split ("train" when None).

    workers: processes, 1 for this one, 0 for one a core; the bytes written do not depend on it.
    engine: of edgekws.curate.workers: "process", or another ("ray").
    strict: one recording that cannot be embedded is an error.
    """

    source: Path
    out: Path
    model: ModelSpec
    settings: Settings = field(default_factory=Settings)
    split: str | None = None
    workers: int = 0
    strict: bool = False
    engine: str = PROCESS


@dataclass(frozen=True)
class _Plan:
    word: Word
    shards: list[Shard]
    stamp: str


def run(request: Request, progress: Progress = lambda *_: None) -> Index:
    """Embed what is missing, and return the index. Continues a killed run.

    Raises DataError for a source without recordings, when none can be embedded, and, if strict, when one cannot;
    ConfigError for a model that breaks its contract and for a folder that holds other embeddings.
    """
    _parts.require_pyarrow()
    _require_workers(request)
    require(request.engine)
    _require_apart(request)
    source = open_source(request.source, request.split)
    model = open_model(request.model)
    about = _about(request, source, model)
    key = stamp_of([str(_ALGORITHM), json.dumps(about | {"source": ""}, sort_keys=True)])
    with closing(Store(request.out, key)) as store:
        return _filled(store, request, source, model, about, progress)


def _filled(
    store: Store, request: Request, source: Source, model: Model, about: dict[str, Any], progress: Progress
) -> Index:
    plans = [_plan(word, request.settings, store.key) for word in source.words()]
    missing = [plan for plan in plans if not store.is_done(plan.word.name, plan.stamp)]
    words, unfinished = {plan.word.name for plan in plans}, {plan.word.name for plan in missing}
    if store.finished is None or missing or store.done.keys() - words:
        store.begin(words - unfinished)
        _embed(store, missing, _job(request, source, model, store), progress)
    index = Index(store.folder, store.key, about, dict(store.done))
    _require_some(index, request.source)
    if request.strict and index.skipped:
        raise _refusal(index.skipped)
    return store.finished or store.finish(about)


_Job = Callable[[list[Shard]], Generator[Shard, None, None]]
"""Shards to embed -> each of them once it is done."""


def _job(request: Request, source: Source, model: Model, store: Store) -> _Job:
    work, most = Work(source, request.model, request.settings, store.work, store.key), _workers(request)
    return lambda shards: embedded(work, shards, model, max(1, min(most, len(shards))), request.engine)


def _embed(store: Store, plans: list[_Plan], job: _Job, progress: Progress) -> None:
    """Each word is merged as soon as its last shard is done."""
    every = [shard for plan in plans for shard in plan.shards]
    todo = [shard for shard in every if not _parts.path_of(store.work, shard).exists()]
    missing = {shard.stamp for shard in todo}
    ready = [shard for shard in every if shard.stamp not in missing]
    done, total = 0, sum(len(shard.ids) for shard in every)
    left = {plan.word.name: len(plan.shards) for plan in plans}
    by_word = {plan.word.name: plan for plan in plans}
    _merge_word(store, (plan for plan in plans if not plan.shards))
    with closing(job(todo)) as embedding:
        for shard in chain(ready, embedding):
            done, left[shard.word] = done + len(shard.ids), left[shard.word] - 1
            progress(f"embed ({shard.word})", done, total)
            if not left[shard.word]:
                _merge_word(store, [by_word[shard.word]])


def _merge_word(store: Store, plans: Iterable[_Plan]) -> None:
    for plan in plans:
        parts = [_parts.path_of(store.work, shard) for shard in plan.shards]
        store.add(plan.word.name, plan.stamp, parts, plan.word.skipped)


def _plan(word: Word, settings: Settings, key: str) -> _Plan:
    size = settings.batch if settings.timestamps else max(SHARD_CLIPS, settings.batch)
    cut = shards(word, size, key)
    others = [each.id for each in word.skipped]
    return _Plan(word, cut, stamp_of([*(shard.stamp for shard in cut), *others]))


def _about(request: Request, source: Source, model: Model) -> dict[str, Any]:
    """The head of the index, without paths of this machine."""
    return {
        "model": identity(model, request.settings.timestamps),
        "source": source.name,
        "settings": {**_settings_json(request.settings), "device": request.model.device},
        "versions": {name: number for name in _PACKAGES if (number := _version(name))},
    }


def _settings_json(settings: Settings) -> dict[str, Any]:
    """Without `timestamps` for scene embeddings, as in indexes that were written before timestamps existed."""
    values = asdict(settings)
    return values if settings.timestamps else {name: value for name, value in values.items() if name != "timestamps"}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _require_apart(request: Request) -> None:
    """Embeddings below the recordings would be a word of the next run."""
    if request.source.resolve() in (request.out.resolve(), *request.out.resolve().parents):
        raise ConfigError(f"--out should be outside of {request.source}", got=str(request.out))


def _require_workers(request: Request) -> None:
    if request.workers < 0:
        raise ConfigError("workers should be 1 or more, or 0 for one a core", got=str(request.workers))


def _workers(request: Request) -> int:
    """One on an accelerator, where each process would load the model again."""
    if request.model.device != "cpu":
        return 1
    return request.workers or machine.cores()


def _require_some(index: Index, source: Path) -> None:
    if not index.clips:
        raise DataError(
            f"{source} should hold recordings that can be embedded",
            got=f"none of {len(index.skipped)}. {_shown(index.skipped)}",
        )


def _refusal(skipped: list[Skipped]) -> DataError:
    expected = "every recording should have an embedding, because of --strict"
    return DataError(expected, got=f"{len(skipped)} without. {_shown(skipped)}", hint="repair or remove these files")


def _shown(skipped: list[Skipped]) -> str:
    more = f"; and {len(skipped) - _SHOWN} more" if len(skipped) > _SHOWN else ""
    return "; ".join(f"{each.id}: {each.reason.rstrip('.')}" for each in skipped[:_SHOWN]) + more
