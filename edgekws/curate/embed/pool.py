"""Shards on an engine: a worker loads the model once; each result is a file, so a killed run repeats nothing."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekws.curate.embed import parts
from edgekws.curate.embed.model import Model, ModelSpec, open_model
from edgekws.curate.embed.shard import Settings, embed_clips, one_thread
from edgekws.curate.embed.source import Shard, Source

PROCESS = "process"
_models: dict[str, Model] = {}
"""The model of this process, at most one, by the key of its run."""


@dataclass(frozen=True)
class Work:
    """What a worker needs besides a shard. key: of the run, unique to model and settings."""

    source: Source
    spec: ModelSpec
    settings: Settings
    folder: Path
    key: str


def require(engine: str) -> None:
    """Raises ConfigError, before any work is done, for an unknown engine."""
    from edgekws.curate import workers as engines

    engines.load(engine)


def embedded(
    work: Work, shards: Sequence[Shard], model: Model, workers: int, engine: str
) -> Generator[Shard, None, None]:
    """Yields each shard after its file is written, in any order. Closing the generator ends the workers.

    engine: of edgekws.curate.workers. Its workers read the recordings and write their parts under the same paths as
    this process; one worker of "process" is this process, with the model that it has.
    """
    from edgekws.curate import workers as engines

    _models.update({work.key: model})
    try:
        with engines.start(engine, workers) as running:
            for _, shard in running.map(_do, ((work, shard) for shard in shards)):
                yield shard
    finally:
        _models.clear()


def _do(task: tuple[Work, Shard]) -> Shard:
    """In a worker of any engine."""
    work, shard = task
    with one_thread():
        part = embed_clips(work.source, shard.ids, _model(work), work.settings)
        parts.write(parts.path_of(work.folder, shard), part)
    return shard


def _model(work: Work) -> Model:
    if work.key not in _models:
        _models.clear()
        _models[work.key] = open_model(work.spec)
    return _models[work.key]
