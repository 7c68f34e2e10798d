"""recordings -> prepared data set."""

from __future__ import annotations

from pathlib import Path

from edgekws import plugins
from edgekws.data import dataset as datasets
from edgekws.data import decisions as deciding
from edgekws.data.dataset import Dataset
from edgekws.data.decisions import Decisions
from edgekws.errors import ConfigError
from edgekws.features.spec import FeatureSpec
from edgekws.types import Progress


def sources() -> list[str]:
    """The data plugs: modules of edgekws/data that list recordings."""
    return [name for name in plugins.names("data") if hasattr(plugins.load("data", name), "scan")]


def prepare(source: str, root: Path, out: Path, progress: Progress, decisions: Decisions | None = None) -> Dataset:
    """List `root` with the data plug `source` and decode it into `out`, as `decisions` of `data clean` want it."""
    spec = FeatureSpec()
    if source not in sources():
        raise ConfigError(f"the source should be one of {', '.join(sources())}", got=source)
    listing = plugins.load("data", source).scan(root, spec.clip_samples)
    if decisions is not None:
        listing = deciding.apply_to_listing(listing, decisions)
    return datasets.prepare(listing, out, spec.rate_hz, spec.clip_samples, progress)
