"""Speed of embeddings on this machine: clips of noise from word folders, read, embedded and written.

The bar of the DS-CNN is 1,000 clips a second on two cores: mean seconds < clips / 1,000 in
test_run[2], which includes the start of both workers.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edgekws.curate import embed
from edgekws.curate.embed.shard import Settings, embed_clips, one_thread
from edgekws.curate.embed.source import Folder
from edgekws.machine import keep_freed_memory

RATE_HZ, WORDS, EACH = 16_000, 16, 512


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    keep_freed_memory()
    root = tmp_path_factory.mktemp("words")
    clips = np.random.default_rng(0).integers(-8_000, 8_000, (EACH, RATE_HZ)).astype(np.int16)
    for number, clip in enumerate(clips):
        path = root / "word00" / f"{number:04}.wav"
        path.parent.mkdir(exist_ok=True)
        soundfile.write(path, clip, RATE_HZ)
    for word in range(1, WORDS):
        shutil.copytree(root / "word00", root / f"word{word:02}")
    return root


@pytest.mark.parametrize("model", ["dscnn", "logmel"])
def test_shard(benchmark, words, model):
    """One worker, without its start."""
    source, opened = Folder(words), embed.open_model(embed.ModelSpec(model))
    ids = source.words()[0].ids
    benchmark.extra_info["clips"] = len(ids)
    with one_thread():
        benchmark.pedantic(embed_clips, (source, ids, opened, Settings()), rounds=5, warmup_rounds=1)


@pytest.mark.parametrize("workers", [1, 2])
def test_run(benchmark, words, tmp_path, workers):
    benchmark.extra_info["clips"] = WORDS * EACH

    def fresh() -> tuple[tuple[embed.Request], dict[str, object]]:
        out = tmp_path / "out"
        shutil.rmtree(out, ignore_errors=True)
        return (embed.Request(Path(words), out, embed.ModelSpec("dscnn"), workers=workers),), {}

    index = benchmark.pedantic(embed.run, setup=fresh, rounds=3)
    assert index.clips == WORDS * EACH
