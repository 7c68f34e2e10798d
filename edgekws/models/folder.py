"""What a model folder remembers: the data set that its network was trained on.

    DIR/model.json    kind, version; data: name, sha256, labels, and where the prepared data set lies

The place is kept relative to the model folder and absolute: either may be moved alone, or both together.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekws.errors import DataError
from edgekws.files import fields, read_json, write_json

FILE, KIND, VERSION = "model.json", "edgekws-model", 1
_INDEX = "index.json"


@dataclass(frozen=True)
class Origin:
    """The data set of a model. relative: its folder from the model's; absolute: where it was at the training."""

    name: str
    sha256: str
    labels: tuple[str, ...]
    relative: str
    absolute: str


def remember(model: Path, data: Path, name: str, sha256: str, labels: tuple[str, ...]) -> None:
    """Write into the folder `model` that its network is trained on the prepared data set in `data`."""
    body = {
        "name": name,
        "sha256": sha256,
        "labels": list(labels),
        "relative": os.path.relpath(data.resolve(), model.resolve()),
        "absolute": str(data.resolve()),
    }
    write_json(model / FILE, {"kind": KIND, "version": VERSION, "data": body})


def origin(model: Path) -> Origin | None:
    """What the folder remembers; None for one that was never trained in, as of a released model.

    Raises ArtifactError for a damaged file.
    """
    path = model / FILE
    if not path.exists():
        return None
    data: dict[str, Any] = read_json(path, KIND, VERSION)["data"]
    fields.require(str(path), data, _KINDS)
    return Origin(data["name"], data["sha256"], tuple(data["labels"]), data["relative"], data["absolute"])


def data_of(model: Path, given: Path | None) -> Path | None:
    """The prepared data set for a model: `given`, else where the model remembers it; None when it remembers none.

    Raises DataError when the remembered one is not there any more.
    """
    known = origin(model) if given is None else None
    if known is None:
        return given
    for place in (model / known.relative, Path(known.absolute)):
        if (place / _INDEX).exists():
            return place
    raise DataError(
        f"the data set {known.name} of the model in {model} should be in {known.absolute}",
        got="no prepared data set there",
        hint="say with --data where it is now, or prepare it again",
    )


_KINDS = {
    "name": fields.TEXT,
    "sha256": fields.TEXT,
    "labels": fields.list_of(fields.TEXT),
    "relative": fields.TEXT,
    "absolute": fields.TEXT,
}
