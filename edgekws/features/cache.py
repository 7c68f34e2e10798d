"""Features of a whole split, computed once and cached beside the data set under a content hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from edgekws.data.dataset import Dataset, Split
from edgekws.data.scenes.context import in_context
from edgekws.errors import DataError
from edgekws.features import extract
from edgekws.features.spec import FeatureSpec
from edgekws.files import replacing, write_rows

_BATCH = 64
_STATISTICS_BATCH = 1024
_LEAST_DEVIATION = 1e-3


def features_of(
    dataset: Dataset, split: str, spec: FeatureSpec, progress: Callable[[int, int], None] = lambda *_: None
) -> np.ndarray:
    """`extract.features` of every clip of a split, [n, frames, coefficients], memory-mapped from the cache.

    Clips shorter than those of a front end for streams are put into `edgekws.data.scenes.context.in_context`. Raises
    DataError for clips of another length than the front end's otherwise, and ConfigError as `extract.features`.
    """
    part = dataset.splits[split]
    own = part.samples.shape[1]
    if own != spec.clip_samples and not (spec.level == "stream" and own < spec.clip_samples):
        hint = "leave clip_samples out of the recipe's [features], or give clips of this length"
        expected = f"the clips of {dataset.name} should have {spec.clip_samples} samples, as the front end takes them"
        raise DataError(expected, got=str(own), hint=hint)
    path = _cache_path(dataset.folder, part, spec)
    if not path.exists():
        with replacing(path) as partial:
            _extract(part, spec, partial, progress)
    return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))


def int8_features(dataset: Dataset, split: str, spec: FeatureSpec) -> np.ndarray:
    """int8 [n, frames, coefficients]: the input of the network."""
    return extract.quantize(spec, features_of(dataset, split, spec))


def fit_spec(
    dataset: Dataset, spec: FeatureSpec, progress: Callable[[int, int], None] = lambda *_: None
) -> FeatureSpec:
    """`spec` with input scales fitted to the mean and deviation of the training clips."""
    features = extract.values(spec, features_of(dataset, "train", spec, progress))
    mean, deviation = features.mean(axis=(0, 1), dtype=np.float64), features.std(axis=(0, 1), dtype=np.float64)
    return spec.with_statistics(mean, deviation)


def input_statistics(dataset: Dataset, spec: FeatureSpec) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation of the float network's inputs in the training split, float64 [coefficients] each."""
    features, count = features_of(dataset, "train", spec), 0
    total, squares = np.zeros(spec.coefficients), np.zeros(spec.coefficients)
    for at in range(0, len(features), _STATISTICS_BATCH):
        part = extract.to_network(spec, features[at : at + _STATISTICS_BATCH]).reshape(-1, spec.coefficients)
        x = (part.astype(np.float64) - spec.network_zero) * spec.network_scale
        total, squares, count = total + x.sum(0), squares + np.square(x).sum(0), count + len(x)
    mean = total / max(count, 1)
    return mean, np.sqrt(np.maximum(squares / max(count, 1) - mean**2, _LEAST_DEVIATION**2))


def _extract(part: Split, spec: FeatureSpec, path: Path, progress: Callable[[int, int], None]) -> None:
    count = len(part)
    starts = range(0, count, _BATCH)

    def block_at(start: int) -> np.ndarray:
        clips = in_context(np.asarray(part.samples[start : start + _BATCH]), spec.clip_samples)
        return extract.features(spec, clips)

    def blocks() -> Iterator[np.ndarray]:
        with ThreadPoolExecutor() as pool:  # NumPy's products release the interpreter lock
            computed = pool.map(block_at, starts)
            for start, block in zip(starts, computed, strict=True):
                yield block
                progress(min(start + _BATCH, count), count)

    write_rows(path, blocks(), (count, *spec.shape), extract.feature_type(spec))


def _cache_path(folder: Path, part: Split, spec: FeatureSpec) -> Path:
    shape = {k: v for k, v in spec.to_json().items() if not k.startswith("input_")}
    content = json.dumps([extract.VERSIONS[spec.arithmetic], part.sha256, shape], sort_keys=True)
    return folder / "features" / f"{part.name}-{hashlib.sha256(content.encode()).hexdigest()[:16]}.npy"
