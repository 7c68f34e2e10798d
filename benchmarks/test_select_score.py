"""`edgekws select score` at full size: 5 targets, 10,000 allowed nontargets, 30,860 clips to evaluate, ten seeds.

The case is synthetic and made in a temporary folder (250 MB); the command runs in a process of its own, so that the
time is that of a person who types it and the memory its own peak.

    pytest benchmarks/test_select_score.py -s          or          python benchmarks/test_select_score.py [folder]
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from edgekws.curate.dataperf.formats import lists, words

TARGETS = ("bird", "daily", "fifty", "job", "restaurant")
KNOWN, UNKNOWN, EACH, DIMENSIONS = 100, 100, 200, 1024
EVAL_TARGET, EVAL_CLIPS = 172, 30_860


def make(folder: Path, size: int = 60) -> list[str]:
    """Write the case; the arguments of the command that scores it."""
    rng = np.random.default_rng(0)
    centres = {word: rng.normal(0, 1, DIMENSIONS) for word in names()}
    allowed, evaluated = {}, {}
    for place, (word, centre) in enumerate(centres.items()):
        target, known = place < len(TARGETS), place < len(TARGETS) + KNOWN
        if known:
            allowed[word] = write(rng, folder / "train_embeddings", word, centre, EACH)[: EACH if target else EACH // 2]
        ids = write(rng, folder / "eval_embeddings", word, centre, EACH)
        evaluated[word] = ids[:EVAL_TARGET] if target else ids[: EACH // 2] if known else ids
    chosen = {word: tuple(allowed[word][: size // 10]) for word in TARGETS}
    others = [clip for word in allowed if word not in TARGETS for clip in allowed[word]]
    few = tuple(others[n] for n in rng.permutation(len(others))[: size // 2])
    for name, ids_by_word in (("allowed_training_set.yaml", allowed), ("eval.yaml", evaluated)):
        lists.write_yaml(folder / name, as_lists(ids_by_word))
    assert as_lists(evaluated).size == EVAL_CLIPS
    selection = folder / f"en_{size}_train.json"
    lists.write_json(selection, lists.IdLists(chosen, few))
    return arguments(folder, selection)


def names() -> list[str]:
    return [*TARGETS, *(f"word{n}" for n in range(KNOWN + UNKNOWN))]


def write(rng, folder: Path, word: str, centre: np.ndarray, count: int) -> list[str]:
    ids = [f"{word}/common_voice_en_{n}.wav" for n in range(count)]
    x = centre + 4 * rng.normal(0, 1, (count, DIMENSIONS))
    words.write(
        folder / f"{word}.parquet", ids, np.where(x > 0, 1.05 * x, 1.76 * np.expm1(np.minimum(x, 0))).astype("f4")
    )
    return ids


def as_lists(ids_by_word: dict[str, list[str]]) -> lists.IdLists:
    rest = (clip for word, ids in ids_by_word.items() if word not in TARGETS for clip in ids)
    return lists.IdLists({word: tuple(ids_by_word[word]) for word in TARGETS}, tuple(rest))


def arguments(folder: Path, selection: Path) -> list[str]:
    given = {
        "--train-file": selection,
        "--allowed-training-set": folder / "allowed_training_set.yaml",
        "--eval-file": folder / "eval.yaml",
        "--train-embeddings-dir": folder / "train_embeddings",
        "--eval-embeddings-dir": folder / "eval_embeddings",
    }
    return [part for name, path in given.items() for part in (name, str(path))]


def timed(command: list[str]) -> tuple[float, float, float]:
    """(seconds on the clock, seconds of CPU, peak memory in MB) of `edgekws select score`."""
    started = time.perf_counter()
    child = os.posix_spawn(
        sys.executable, [sys.executable, "-m", "edgekws", "select", "score", *command], dict(os.environ)
    )
    _, status, usage = os.wait4(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    seconds = time.perf_counter() - started
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


@pytest.fixture(scope="module")
def command(tmp_path_factory):
    return make(tmp_path_factory.mktemp("full-size"))


def test_score_at_full_size(benchmark, command):
    peaks = []
    benchmark.pedantic(lambda: peaks.append(timed(command)), rounds=3, warmup_rounds=0)
    benchmark.extra_info["clips"] = EVAL_CLIPS
    benchmark.extra_info["peak_mb"] = round(max(peak for _, _, peak in peaks))


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as made:
        base = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(made)
        line = make(base)
        for _ in range(3):
            print("{:.2f} s, {:.2f} s of CPU, {:.0f} MB".format(*timed(line)))
