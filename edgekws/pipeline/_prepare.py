"""recordings -> prepared data set."""

from __future__ import annotations

from pathlib import Path

from edgekws import plugins
from edgekws.data import dataset as datasets
from edgekws.data import decisions as deciding
from edgekws.data.dataset import Dataset
from edgekws.data.decisions import Decisions
from edgekws.features.spec import FeatureSpec
from edgekws.types import Progress


def sources() -> list[str]:
    """The names of the plugins that list recordings."""
    return plugins.names("sources")


def prepare(source: str, root: Path, out: Path, progress: Progress, decisions: Decisions | None = None) -> Dataset:
    """List `root` with the data source `source` and decode it into `out`, applying the `decisions` of `data clean`."""
    spec = FeatureSpec()
    listing = plugins.load("sources", source).scan(root, spec.clip_samples)
    if decisions is not None:
        listing = deciding.apply_to_listing(listing, decisions)
    return datasets.prepare(listing, out, spec.rate_hz, spec.clip_samples, progress)
