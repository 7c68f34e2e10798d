"""A challenge in DataPerf's form from Speech Commands, for benchmarks/select_quality.py --folder.

    edgekws embed speech_commands_v0.02 --model logmel --out work/embeddings
    python benchmarks/speech_commands_challenge.py work/embeddings speech_commands_v0.02 work/challenge

Five keywords are the targets. Clips of the training split may be selected: all of the keywords, and OTHERS of each
other word; those of validation_list.txt are evaluated. No speaker is in both.
"""

from __future__ import annotations

import sys
from pathlib import Path

from edgekws.curate.dataperf.formats import lists

TARGETS = ("yes", "no", "left", "stop", "go")
OTHERS = 200


def main(embeddings: Path, root: Path, out: Path) -> None:
    import pyarrow.parquet as pq

    validation = set((root / "validation_list.txt").read_text().split())
    held_back = set((root / "testing_list.txt").read_text().split())
    allowed: dict[str, list[str]] = {}
    evaluated: dict[str, list[str]] = {}
    for path in sorted(embeddings.glob("*.parquet")):
        ids = sorted(pq.read_table(path, columns=["clip_id"])["clip_id"].to_pylist())
        evaluated[path.stem] = [name for name in ids if name in validation]
        allowed[path.stem] = [name for name in ids if name not in validation and name not in held_back]
    out.mkdir(parents=True, exist_ok=True)
    lists.write_yaml(out / "allowed_training_set.yaml", listed(allowed, OTHERS))
    lists.write_yaml(out / "eval.yaml", listed(evaluated, None))
    for name in ("train_embeddings", "eval_embeddings"):
        (out / name).symlink_to(embeddings.resolve())


def listed(words: dict[str, list[str]], others: int | None) -> lists.IdLists:
    targets = {word: tuple(words[word]) for word in TARGETS}
    rest = [name for word, ids in words.items() if word not in TARGETS for name in ids[:others]]
    return lists.IdLists(targets, tuple(rest))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]))
