"""Files that no killed run damages: written under a temporary name, then renamed. And one run at a time in a folder."""

from __future__ import annotations

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

from edgekws.errors import ArtifactError, ConfigError
from edgekws.files import npz


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; on success it is flushed and renamed to `path`."""
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
        with suppress(OSError):  # the folder itself may be what could not be made
            partial.unlink(missing_ok=True)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Raises ArtifactError where the system does not let us, for files that are not replaced but go on."""
    try:
        yield
    except OSError as error:
        raise ArtifactError(
            f"{path} could not be written; what was there before is untouched",
            got=error.strerror or str(error),
            hint="free some space or give another output folder, then run the same command again",
        ) from error


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Give a temporary folder beside `path`, which becomes `path` on success; until then `path` is not there.

    Raises ArtifactError when `path` is there already, unless it is an empty folder.
    """
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        hint = "give a new folder, or remove this one"
        raise ArtifactError(f"{path} should be a new folder", got="something that is there", hint=hint)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(path)
        partial.mkdir()
        yield partial
        partial.replace(path)
    except OSError as error:
        raise ArtifactError(f"{path} could not be written", got=error.strerror or str(error)) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def alone(folder: Path, lock: Path | None = None) -> Iterator[None]:
    """One run at a time in a folder. The lock ends with its process, however that ends; Windows has none.

    lock: its file, `folder`/.lock if not given. Raises ConfigError while another run is in here.
    """
    handle = _locked(folder, lock or folder / ".lock")
    try:
        yield
    finally:
        if handle is not None:
            os.close(handle)


def _locked(folder: Path, lock: Path) -> int | None:
    try:
        import fcntl
    except ModuleNotFoundError:
        return None
    with writing(folder):
        lock.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(lock, os.O_CREAT | os.O_RDWR, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        hint = "wait for it, or give another folder"
        raise ConfigError(f"one run at a time should work in {folder}", got="another at work", hint=hint) from error
    return handle


def _remove_abandoned(path: Path) -> None:
    """Temporary files and folders of runs that were killed while writing `path`."""
    for partial in path.parent.glob(f".{path.name}.*.partial"):
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
    """Where this user's caches are: $XDG_CACHE_HOME/edgekws, else ~/.cache/edgekws; None for a user without a home."""
    chosen = os.environ.get("XDG_CACHE_HOME", "")
    if Path(chosen).is_absolute():  # as the specification says, others are ignored
        return Path(chosen) / "edgekws"
    try:
        return Path.home() / ".cache" / "edgekws"
    except RuntimeError:
        return None


def write_bytes(path: Path, content: bytes) -> None:
    with replacing(path) as partial:
        partial.write_bytes(content)


def write_text(path: Path, content: str) -> None:
    write_bytes(path, content.encode())


def write_json(path: Path, value: object) -> None:
    write_text(path, json.dumps(value, indent=1) + "\n")


def read_json(path: Path, kind: str, version: int, hint: str = "") -> dict[str, Any]:
    """Read a JSON file of ours. Raises ArtifactError unless it is `kind` in `version`; hint: what makes it."""
    try:
        value = json.loads(path.read_text())
    except FileNotFoundError as error:
        raise ArtifactError(f"{path} should be a file of {kind}", got="no such file", hint=hint) from error
    except (OSError, ValueError, RecursionError) as error:
        raise ArtifactError(f"{path} should be a {kind} file", got=f"unreadable JSON ({error})") from error
    check_kind(path, value if isinstance(value, dict) else {}, kind, version)
    return dict(value)


def check_kind(path: Path, meta: Mapping[str, Any], kind: str, version: int) -> None:
    if (meta.get("kind"), meta.get("version")) != (kind, version):
        found = f"{_shown(meta.get('kind', 'an unknown format'))} version {_shown(meta.get('version', '?'))}"
        raise ArtifactError(
            f"{path} should be a {kind} file of version {version}",
            got=found,
            hint="make it again with this edgekws, or use the edgekws that wrote it",
        )


def _shown(value: object) -> str:
    """A foreign file may have anything in these places, and any amount of it."""
    return ascii(value)[:60].strip("'") if isinstance(value, str | int) else "of another type"


def npz_bytes(arrays: Mapping[str, np.ndarray]) -> bytes:
    """The bytes of an .npz file; the same arrays give the same bytes (NumPy stamps no time)."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def npz_arrays(content: bytes, what: str, hint: str) -> dict[str, np.ndarray]:
    """The arrays of an .npz file. Raises ArtifactError, which says `what` was expected, for anything else."""
    try:
        return npz.arrays(content)
    except ValueError as error:
        raise ArtifactError(f"{what} was expected", got=f"a damaged or foreign file ({error})", hint=hint) from error


def read_content(path: Path, what: str, hint: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ArtifactError(f"{path} should be {what}", got=error.strerror or str(error), hint=hint) from error


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
    return hashlib.sha256(content).hexdigest()


def sha256_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
