"""Runs a selector, in this process or behind a wall, and checks what it chose."""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgekws.curate import sandbox
from edgekws.curate.select import Pool, Selection, Selector, files, load, user_selectors
from edgekws.curate.select.check import check
from edgekws.errors import ArtifactError, ConfigError, DataError, EdgeKwsError

_INSIDE = "edgekws.curate.select.sandboxed_main"
_RETURNS = "return edgekws.curate.select.Selection({word: [ids] for each of pool.targets}, [ids of other words])"


def run(name: str, pool: Pool, size: int, seed: int, config: Mapping[str, Any] | None = None) -> Selection:
    """A checked selection. name: as for selector(); config: for a class.

    Raises ConfigError when there is no such selector or the pool lacks a class, DataError for a bad selection and
    when the selector fails.
    """
    _check_pool(pool)
    return check(asked(name, selector(name, config), pool, size, seed), pool, size)


def selector(name: str, config: Mapping[str, Any] | None = None) -> Selector:
    """name: a plug, "file.py", "file.py:Class" or "module:Class". Raises ConfigError when there is none."""
    return user_selectors.load(user_selectors.Named(name, config or {})) if is_users(name) else load(name)


def asked(name: str, function: Selector, pool: Pool, size: int, seed: int) -> Selection:
    """What it chooses, unchecked. Raises DataError when it fails in any way: it may be anybody's code.

    Linear algebra gets one thread: sums come out in another order with two, and a close choice otherwise.
    """
    from threadpoolctl import threadpool_limits

    try:
        with threadpool_limits(1):
            found = function(pool, size, seed)
    except (EdgeKwsError, MemoryError):
        raise
    except (Exception, SystemExit) as error:
        raise DataError(f"the selector {name} failed", got=f"{type(error).__name__}: {error}") from error
    try:
        return files.selection_from({"targets": _lists(found.targets), "nontargets": list(found.nontargets)})
    except (AttributeError, TypeError, ValueError) as error:
        got = type(found).__name__ if not isinstance(found, Selection) else f"one with something else in it: {error}"
        raise DataError(
            f"the selector {name} should return a Selection of ids, which are texts", got=got, hint=_RETURNS
        ) from error


def _lists(targets: Mapping[str, Any]) -> dict[str, list[Any]]:
    return {word: list(ids) for word, ids in targets.items()}


def _check_pool(pool: Pool) -> None:
    """The challenge scores targets against other words; a pool without them cannot give a selection."""
    if not (pool.classes < 0).any():
        raise ConfigError("a pool should have clips of every target and of other words", got="none of other words")


def is_users(name: str) -> bool:
    """Whether it names a file or a class, not one of the plugs."""
    return name.endswith(".py") or ":" in name


def run_sealed(
    name: str,
    pool: Pool,
    size: int,
    seed: int,
    config: Mapping[str, Any] | None = None,
    *,
    limits: sandbox.Limits | None = None,
    wall: str = sandbox.AUTO,
    image: str = "",
) -> tuple[Selection, sandbox.Sealed]:
    """As run(), behind a wall: the selector sees the pool and its own file, and may write one folder.

    What comes back is JSON, checked here. Raises as run() and sealed.run() do.
    """
    _check_pool(pool)
    with tempfile.TemporaryDirectory(prefix="edgekws-select-") as folder:
        inputs, output = Path(folder) / "in", Path(folder) / "out"
        inputs.mkdir()
        output.mkdir()
        _stage(inputs, name, pool, {"size": size, "seed": seed, "config": dict(config or {})})
        try:
            how = sandbox.run(_INSIDE, inputs, output, limits, wall, image)
            return check(_answer(output / "selection.json", pool), pool, size), how
        finally:
            sandbox.emptied(output)  # tempfile gives up where folders are hundreds deep


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
    files.write_npz(pool, inputs / "pool.npz")
    (inputs / "request.json").write_text(json.dumps({"selector": f"{place}{colon}{wanted}", **request}))


def _answer(path: Path, pool: Pool) -> Selection:
    try:
        return files.selection_from(json.loads(_plain_bytes(path, _longest(pool))))
    except OSError as error:
        raise DataError("a sealed selector should leave selection.json", got=f"{error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise DataError("a sealed selector should leave a selection as JSON", got=str(error)) from error


def _plain_bytes(path: Path, most: int) -> bytes:
    """Raises OSError for a link, a pipe, a folder: it may be anything."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "no plain file")
        content = file.read(most + 1)
    if len(content) > most:
        raise ValueError(f"more than {most} bytes, which are enough to name every clip")
    return content


def _longest(pool: Pool) -> int:
    """Bytes of the JSON that names every clip; a sign may take 12 of them."""
    return 1000 + sum(12 * len(name) + 4 for name in (*pool.ids, *pool.targets))
