"""A finished training -> its verdict: float/training.json."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgekws.data.dataset import Dataset
from edgekws.features import cache
from edgekws.files import write_json
from edgekws.training.trained import load_trained

if TYPE_CHECKING:
    from edgekws.evaluation.training import Share, Verdict

FILE, KIND, VERSION = "training.json", "edgekws-training", 1
_TRAINING_CLIPS = 1_000
"""Of the training split, drawn at random: enough to see whether a network knows them by heart."""


def verdict(out: Path, data: Dataset) -> Verdict:
    """Judge the training in `out`, and write float/training.json. Raises ArtifactError when it is not finished."""
    from edgekws.evaluation.training import judge
    from edgekws.training import checkpoint, history
    from edgekws.training.scoring import logits_of

    folder = out / "float"
    trained = load_trained(folder / checkpoint.BEST)
    header = checkpoint.header_of(folder / checkpoint.LAST)

    def answers(split: str, chosen: np.ndarray) -> np.ndarray:
        features = cache.features_of(data, split, trained.features)[chosen]
        return np.asarray(logits_of(trained.network, features, trained.features).argmax(1).numpy())

    count = len(data.splits["train"])
    some = np.sort(np.random.default_rng(trained.recipe.seed).permutation(count)[:_TRAINING_CLIPS])
    learned = answers("train", some), np.asarray(data.splits["train"].labels)[some]
    validation = answers("validation", np.arange(len(data.splits["validation"])))
    result = judge(
        data, validation, learned, header["rows"], history.best_epoch(header["rows"]), bool(header.get("stopped"))
    )
    write_json(folder / FILE, {"kind": KIND, "version": VERSION, **_json(result)})
    return result


def _json(result: Verdict) -> dict[str, Any]:
    shares = {"validation": result.validation, "training": result.training}
    return {
        **{name: _share(share) for name, share in shares.items()},
        "best_epoch": result.best,
        "epochs": result.epochs,
        "stopped_early": result.early,
        "recalls": [asdict(row) for row in result.recalls],
        "warnings": list(result.warnings),
    }


def _share(share: Share) -> dict[str, Any]:
    interval = share.interval
    return {"accuracy": share.value, "hits": share.hits, "n": share.n, "interval": [interval.low, interval.high]}
