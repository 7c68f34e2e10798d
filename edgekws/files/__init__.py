"""Atomic writes (a temporary name, then a rename), hashes, JSON and .npz."""

from __future__ import annotations

import glob
import hashlib
import io
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from edgekws.errors import ArtifactError
from edgekws.files import npz
from edgekws.files.os_errors import unreadable, unwritable


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; on success it is flushed to disk and renamed to `path`.

    Raises ArtifactError when the system refuses to write; `path` is then what it was before.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            _remove_abandoned(path)
            yield partial
            with partial.open("rb") as written:
                os.fsync(written.fileno())
            partial.replace(path)
    finally:
        with suppress(OSError):  # the folder itself may be missing
            partial.unlink(missing_ok=True)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an OSError inside into an ArtifactError about `path`; for files that are appended to, not replaced."""
    try:
        yield
    except OSError as error:
        raise unwritable(path, error) from error


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Give a temporary folder beside `path`, which becomes `path` on success; until then `path` does not exist.

    Raises ArtifactError when `path` exists, unless it is an empty folder, and when it cannot be written.
    """
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        hint = "give a new folder, or remove this one"
        raise ArtifactError(f"{path} should be a new folder", got="one that exists", hint=hint)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(path)
        partial.mkdir()
        yield partial
        partial.replace(path)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _remove_abandoned(path: Path) -> None:
    """Temporary files and folders of runs that were killed while writing `path`."""
    for partial in path.parent.glob(f".{glob.escape(path.name)}.*.partial"):
        pid = partial.name.split(".")[-2]
        if not pid.isdigit() or _is_running(int(pid)):
            continue
        if partial.is_dir():
            shutil.rmtree(partial)
        else:
            partial.unlink(missing_ok=True)


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def cache_folder() -> Path | None:
    """This user's cache: $XDG_CACHE_HOME/edgekws, else ~/.cache/edgekws; None for a user without a home folder."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    if Path(base).is_absolute():  # the XDG base directory specification: relative paths are ignored
        return Path(base) / "edgekws"
    try:
        return Path.home() / ".cache" / "edgekws"
    except RuntimeError:
        return None


def write_bytes(path: Path, content: bytes) -> None:
    """Replace `path` atomically. Raises ArtifactError when that fails; the old file is then unchanged."""
    with replacing(path) as partial:
        partial.write_bytes(content)


def write_text(path: Path, content: str) -> None:
    """As `write_bytes`, in UTF-8."""
    write_bytes(path, content.encode())


def write_json(path: Path, value: object) -> None:
    """As `write_bytes`, indented by one space."""
    write_text(path, json.dumps(value, indent=1) + "\n")


def read_json(path: Path, kind: str, version: int, hint: str = "") -> dict[str, Any]:
    """A JSON file that edgekws wrote. Raises ArtifactError unless it is `kind` in `version`; hint: what writes it."""
    try:
        value = json.loads(path.read_text())
    except OSError as error:
        raise unreadable(ArtifactError, path, f"a {kind} file", error, hint) from error
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"{path} should be a {kind} file", got=f"unreadable JSON ({error})") from error
    check_kind(path, value if isinstance(value, dict) else {}, kind, version)
    return dict(value)


def check_kind(path: Path, meta: Mapping[str, Any], kind: str, version: int) -> None:
    """Raises ArtifactError unless the header `meta` of `path` says `kind` and `version`."""
    if (meta.get("kind"), meta.get("version")) != (kind, version):
        raise ArtifactError(
            f"{path} should be a {kind} file of version {version}",
            got=f"{_shown(meta.get('kind', 'an unknown format'))} version {_shown(meta.get('version', '?'))}",
            hint="make it again with this edgekws, or use the edgekws that wrote it",
        )


def _shown(value: object) -> str:
    """At most 60 printable characters: a foreign file may hold any type and any length in these fields."""
    return ascii(value)[:60].strip("'") if isinstance(value, str | int) else "of another type"


def npz_bytes(arrays: Mapping[str, np.ndarray]) -> bytes:
    """The bytes of an .npz file; the same arrays give the same bytes (NumPy stamps no time)."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def npz_arrays(content: bytes, what: str, hint: str) -> dict[str, np.ndarray]:
    """The arrays of an .npz file by name. Raises ArtifactError, which names `what` was expected, for other bytes."""
    try:
        return npz.arrays(content)
    except ValueError as error:
        raise ArtifactError(f"{what} was expected", got=f"a damaged or foreign file ({error})", hint=hint) from error


def read_content(path: Path, what: str, hint: str) -> bytes:
    """The bytes of `path`. Raises ArtifactError when it cannot be read. what: what it should be, with its article."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise unreadable(ArtifactError, path, what, error, hint) from error


def write_rows(path: Path, blocks: Iterable[np.ndarray], shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    """Write an .npy file of `shape` block by block, so that a full disk is an OSError.

    A memory-mapped file would be the shorter way, but a full disk then kills the process (SIGBUS).
    """
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for block in blocks:
            file.write(np.ascontiguousarray(block, dtype).tobytes())


def sha256(content: bytes) -> str:
    """SHA-256 in hexadecimal, 64 characters."""
    return hashlib.sha256(content).hexdigest()


def sha256_file(path: Path) -> str:
    """SHA-256 of a file's content in hexadecimal. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
