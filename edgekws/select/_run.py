"""Runs a selector, in this process or behind a wall, and checks what it chose."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgekws import sealed
from edgekws.errors import ArtifactError, DataError, EdgeKwsError
from edgekws.select import Pool, Selection, _files, _user, load
from edgekws.select._check import check

_INSIDE = "edgekws.select._inside"


def run(name: str, pool: Pool, size: int, seed: int, config: Mapping[str, Any] | None = None) -> Selection:
    """A checked selection. name: a plug, "file.py", "file.py:Class" or "module:Class"; config: for a class.

    Raises ConfigError when there is no such selector, DataError for a bad selection and when the selector fails.
    """
    selector = _user.load(_user.Named(name, config or {})) if is_users(name) else load(name)
    try:
        found = selector(pool, size, seed)
    except (EdgeKwsError, MemoryError):
        raise
    except Exception as error:  # it may be anybody's code
        raise DataError(f"the selector {name} failed", got=f"{type(error).__name__}: {error}") from error
    if not isinstance(found, Selection):
        raise DataError(f"the selector {name} should return a Selection", got=type(found).__name__)
    return check(found, pool, size)


def is_users(name: str) -> bool:
    return name.endswith(".py") or ":" in name


def run_sealed(
    name: str,
    pool: Pool,
    size: int,
    seed: int,
    config: Mapping[str, Any] | None = None,
    *,
    limits: sealed.Limits | None = None,
    wall: str = sealed.AUTO,
    image: str = "",
) -> tuple[Selection, sealed.Sealed]:
    """As run(), behind a wall: the selector sees the pool and its own file, and may write one folder.

    What comes back is JSON, checked here. Raises as run() and sealed.run() do.
    """
    with tempfile.TemporaryDirectory(prefix="edgekws-select-") as folder:
        inputs, output = Path(folder) / "in", Path(folder) / "out"
        inputs.mkdir()
        output.mkdir()
        _stage(inputs, name, pool, {"size": size, "seed": seed, "config": dict(config or {})})
        how = sealed.run(_INSIDE, inputs, output, limits, wall, image)
        return check(_answer(output / "selection.json", limits or sealed.Limits()), pool, size), how


def _stage(inputs: Path, name: str, pool: Pool, request: dict[str, Any]) -> None:
    place, colon, wanted = name.partition(":")
    if place.endswith(".py"):
        try:
            shutil.copyfile(place, inputs / Path(place).name)
        except OSError as error:
            raise ArtifactError(f"{place} should be a Python file with a selector", got=str(error)) from error
        place = Path(place).name
    elif not colon:
        load(name)  # refuses an unknown plug here, where the list of plugs can be shown
    _files.write_npz(pool, inputs / "pool.npz")
    (inputs / "request.json").write_text(json.dumps({"selector": f"{place}{colon}{wanted}", **request}))


def _answer(path: Path, limits: sealed.Limits) -> Selection:
    if path.is_symlink() or not path.is_file() or path.stat().st_size > limits.output_bytes:
        raise DataError("a sealed selector should leave selection.json", got="none, or no plain file")
    try:
        return _files.selection_from(json.loads(path.read_bytes()))
    except (ValueError, RecursionError) as error:
        raise DataError("a sealed selector should leave a selection as JSON", got=str(error)) from error
