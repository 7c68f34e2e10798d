"""What a model folder remembers: the data set and the recipe that its network was trained with.

    DIR/model.json    kind, version; recipe; data: name, sha256, labels, and where the prepared data set lies

The place is kept relative to the model folder and absolute: either may be moved alone, or both together.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekws.errors import DataError
from edgekws.files import fields, read_json, write_json

FILE, KIND, VERSION = "model.json", "edgekws-model", 1
NETWORK = "float/best.safetensors"
"""Where a training leaves the network with the lowest validation loss."""
_INDEX = "index.json"


@dataclass(frozen=True)
class Origin:
    """The data set and recipe of a model. relative: its folder from the model's; absolute: where it was then."""

    name: str
    sha256: str
    labels: tuple[str, ...]
    relative: str
    absolute: str
    recipe: dict[str, Any]


def remember(
    model: Path, data: Path, name: str, sha256: str, labels: tuple[str, ...], recipe: Mapping[str, Any]
) -> None:
    """Write into the folder `model` that its network is trained on the prepared data set in `data` by `recipe`."""
    body = {
        "name": name,
        "sha256": sha256,
        "labels": list(labels),
        "relative": os.path.relpath(data.resolve(), model.resolve()),
        "absolute": str(data.resolve()),
    }
    write_json(model / FILE, {"kind": KIND, "version": VERSION, "recipe": dict(recipe), "data": body})


def origin(model: Path) -> Origin | None:
    """What the folder remembers; None for one that was never trained in, as of a released model.

    Raises ArtifactError for a damaged file.
    """
    path = model / FILE
    if not path.exists():
        return None
    saved = read_json(path, KIND, VERSION)
    fields.require(str(path), {key: saved.get(key) for key in _BODY}, _BODY)
    data, recipe = saved["data"], saved["recipe"]
    fields.require(f"data in {path}", data, _KINDS)
    return Origin(**{**data, "labels": tuple(data["labels"])}, recipe=recipe)


def data_of(model: Path, given: Path | None, how: str = "with --data") -> Path | None:
    """The prepared data set for a model: `given`, else where the model remembers it; None when it remembers none.

    how: the command says where it is, for the hint. Raises DataError when the remembered one is not there any more.
    """
    known = origin(model) if given is None else None
    if known is None:
        return given
    places = [Path(os.path.normpath(model / known.relative)), Path(known.absolute)]
    there = [place for place in places if (place / _INDEX).exists()]
    same = [place for place in there if _sha256(place / _INDEX) == known.sha256]
    if there:
        return (same or there)[0]
    raise DataError(
        f"the data set {known.name} of the model in {model} should be in {known.absolute}",
        got="no prepared data set there",
        hint=f"say {how} where it is now, or prepare it again",
    )


def _sha256(index: Path) -> str:
    """The hash of a prepared data set; "" of a file that is none, which the caller's own reading refuses."""
    try:
        value = json.loads(index.read_text())
    except (OSError, ValueError):
        return ""
    return str(value.get("sha256", "")) if isinstance(value, dict) else ""


_BODY = {"data": fields.OBJECT, "recipe": fields.OBJECT}
_KINDS = {
    "name": fields.TEXT,
    "sha256": fields.TEXT,
    "labels": fields.list_of(fields.TEXT),
    "relative": fields.TEXT,
    "absolute": fields.TEXT,
}
