"""Runs a selector, in this process or in a sandbox, and checks its selection."""

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
from edgekws.curate.select import Pool, Selection, Selector, current_name, files, load, user_selectors
from edgekws.curate.select.check import check
from edgekws.errors import ArtifactError, ConfigError, DataError, EdgeKwsError

_SANDBOXED_MAIN = "edgekws.curate.select.sandboxed_main"
_RETURNS = "return edgekws.curate.select.Selection({word: [ids] for each of pool.targets}, [ids of other words])"


def run(name: str, pool: Pool, size: int, seed: int, config: Mapping[str, Any] | None = None) -> Selection:
    """A checked selection. name: as for selector(); config: for a class.

    Raises ConfigError when there is no such selector or the pool lacks a class, DataError for a bad selection and
    when the selector fails.
    """
    _check_pool(pool)
    return check(run_unchecked(name, selector(name, config), pool, size, seed), pool, size)


def selector(name: str, config: Mapping[str, Any] | None = None) -> Selector:
    """name: a plugin, "file.py", "file.py:Class" or "module:Class". Raises ConfigError when there is none."""
    if is_user_selector(name):
        return user_selectors.load(user_selectors.Reference(name, config or {}))
    return load(name)


def run_unchecked(name: str, function: Selector, pool: Pool, size: int, seed: int) -> Selection:
    """The selection of `function`, unchecked. Raises DataError when it fails in any way: it is untrusted code.

    Linear algebra runs on one thread: with two, the order of summation changes and may decide close ties differently.
    """
    from threadpoolctl import threadpool_limits

    try:
        with threadpool_limits(1):
            chosen = function(pool, size, seed)
    except (EdgeKwsError, MemoryError):
        raise
    except (Exception, SystemExit) as error:
        raise DataError(f"the selector {name} failed", got=f"{type(error).__name__}: {error}") from error
    try:
        return files.selection_from({"targets": _lists(chosen.targets), "nontargets": list(chosen.nontargets)})
    except (AttributeError, TypeError, ValueError) as error:
        got = f"one with other content: {error}" if isinstance(chosen, Selection) else type(chosen).__name__
        raise DataError(
            f"the selector {name} should return a Selection of ids, which are strings", got=got, hint=_RETURNS
        ) from error


def _lists(targets: Mapping[str, Any]) -> dict[str, list[Any]]:
    return {word: list(ids) for word, ids in targets.items()}


def _check_pool(pool: Pool) -> None:
    """The challenge scores targets against other words, so a pool needs clips of both."""
    if not (pool.classes < 0).any():
        raise ConfigError("a pool should have clips of every target and of other words", got="none of other words")


def is_user_selector(name: str) -> bool:
    """Whether it names a file or a class rather than a plugin."""
    return name.endswith(".py") or ":" in name


def run_sandboxed(
    name: str,
    pool: Pool,
    size: int,
    seed: int,
    config: Mapping[str, Any] | None = None,
    *,
    limits: sandbox.Limits | None = None,
    isolation: str = sandbox.AUTO,
    image: str = "",
) -> tuple[Selection, sandbox.SandboxRun]:
    """As run(), in a sandbox: the selector sees the pool and its own file, and may write to one folder.

    isolation, image: see sandbox.run(). The result is JSON, checked here. Raises as run() and sandbox.run() do.
    """
    _check_pool(pool)
    with tempfile.TemporaryDirectory(prefix="edgekws-select-") as folder:
        inputs, output = Path(folder) / "in", Path(folder) / "out"
        inputs.mkdir()
        output.mkdir()
        _write_inputs(inputs, name, pool, {"size": size, "seed": seed, "config": dict(config or {})})
        try:
            info = sandbox.run(_SANDBOXED_MAIN, inputs, output, limits, isolation, image)
            return check(_read_selection(output / "selection.json", pool), pool, size), info
        finally:
            sandbox.empty_folder(output)  # tempfile fails at hundreds of nested folders


def _write_inputs(inputs: Path, name: str, pool: Pool, request: dict[str, Any]) -> None:
    place, colon, attribute = name.partition(":")
    if place.endswith(".py"):
        try:
            shutil.copyfile(place, inputs / Path(place).name)
        except OSError as error:
            raise ArtifactError(f"{place} should be a Python file with a selector", got=str(error)) from error
        place = Path(place).name
    elif not colon:
        place = current_name(name)
        load(place)  # refuses an unknown plugin here, where the available ones can be listed
    files.write_npz(pool, inputs / "pool.npz")
    (inputs / "request.json").write_text(json.dumps({"selector": f"{place}{colon}{attribute}", **request}))


def _read_selection(path: Path, pool: Pool) -> Selection:
    try:
        return files.selection_from(json.loads(_read_regular_file(path, _max_json_bytes(pool))))
    except OSError as error:
        raise DataError("a sandboxed selector should leave selection.json", got=f"{error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise DataError("a sandboxed selector should leave a selection as JSON", got=str(error)) from error


def _read_regular_file(path: Path, most: int) -> bytes:
    """The content of a regular file. Raises OSError for a link, a pipe or a folder, ValueError above `most` bytes."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        content = file.read(most + 1)
    if len(content) > most:
        raise ValueError(f"more than the {most} bytes that are enough to name every clip")
    return content


def _max_json_bytes(pool: Pool) -> int:
    """Upper bound of the bytes of JSON that names every clip; a character may take 12."""
    return 1000 + sum(12 * len(name) + 4 for name in (*pool.ids, *pool.targets))
