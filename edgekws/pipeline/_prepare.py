"""recordings -> prepared data set."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from edgekws import plugins
from edgekws.data import cuts
from edgekws.data import dataset as datasets
from edgekws.data import decisions as deciding
from edgekws.data.dataset import Dataset
from edgekws.data.decisions import Decisions
from edgekws.errors import ConfigError
from edgekws.features.spec import FeatureSpec
from edgekws.types import Progress


def sources() -> list[str]:
    """The names of the plugins that list recordings."""
    return plugins.names("sources")


def prepare(
    source: str,
    root: Path,
    out: Path,
    progress: Progress,
    decisions: Decisions | None = None,
    options: Mapping[str, Any] | None = None,
    strict: bool = False,
) -> Dataset:
    """List `root` with the data source `source` and decode it into `out`, applying the `decisions` of `data clean`.

    options: keyword arguments of the source's `scan`, by name. How long recordings were cut is written to cuts.csv in
    `out`. Raises ConfigError for an option that the source does not take, and DataError, when `strict`, for a recording
    that would be left out.
    """
    spec = FeatureSpec()
    plugin = plugins.load("sources", source)
    listing = plugin.scan(root, spec.clip_samples, **_taken(source, plugin, options or {}))
    if decisions is not None:
        listing = deciding.apply_to_listing(listing, decisions)
    data = datasets.prepare(listing, out, spec.rate_hz, spec.clip_samples, progress, source, strict)
    if listing.cuts:
        cuts.write(listing.cuts, out / cuts.FILE)
    return data


def _taken(source: str, plugin: ModuleType, options: Mapping[str, Any]) -> Mapping[str, Any]:
    for name in options:
        if name not in inspect.signature(plugin.scan).parameters:
            option = f"--{name.replace('_', '-')}"
            raise ConfigError(f"{option} should be an option of --source {source}", got="one that it does not have")
    return options
