"""Embeddings of recordings by any model with the HEAR API. A built-in model is one file in models/.

A module has three functions (HEAR 2021, "Common API"); `audio` is float32 [n, samples] within -1..1:

    load_model(model_file_path: str = "", **options) -> torch.nn.Module
        with the integers sample_rate, scene_embedding_size, timestamp_embedding_size
    get_scene_embeddings(audio, model) -> float32 [n, scene size]
    get_timestamp_embeddings(audio, model) -> (float32 [n, t, timestamp size], float32 [n, t]: centres in ms)

It may be a plugin, an importable module, or the path of a .py file. API: hearbenchmark.com/hear-api.html.

    embed.run(embed.Request(source, out, embed.ModelSpec("dscnn")))     recordings -> a parquet file per word, an index
    embed.Settings(timestamps=True)                                     of such a request: a vector per time step
    embed.open_model(embed.ModelSpec("dscnn")).scene(audio)             one batch, in this process
    hear_check.check_module("mine.py")                                  problems of a module, as text
"""

from __future__ import annotations

from edgekws import plugins
from edgekws.curate.embed.audio import Skipped
from edgekws.curate.embed.model import Model, ModelSpec, open_model
from edgekws.curate.embed.runner import Request, run
from edgekws.curate.embed.shard import Settings
from edgekws.curate.embed.store import Index, read_index

__all__ = [
    "Index",
    "Model",
    "ModelSpec",
    "Request",
    "Settings",
    "Skipped",
    "names",
    "open_model",
    "read_index",
    "run",
]


def names() -> list[str]:
    """The available models, sorted."""
    return plugins.names("embeddings")
