"""C compiled for this computer into shared libraries, which are kept.

    <key>-<hash>.so    key: of the sources, the command and what the compiler says about itself and the processor;
                       hash: of the library, so that a damaged one is noticed and built again

A library is renamed into place when it is whole, and one that is in use is never written over. Two processes that
build the same at once both succeed. Where the folder cannot be written, nothing is kept.
"""

from __future__ import annotations

import ctypes
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

from edgekws.errors import ArtifactError, BoardError
from edgekws.files import sha256, write_bytes
from firmware_io import tools
from firmware_io.build import CFLAGS, FIRMWARE

COMPILER = "cc"
Options = tuple[str, ...] | None
"""Of the compiler; None for what makes the fastest code for this computer."""
KEPT = 128
"""Libraries that a folder holds; those unused for longest make room."""
PORTABLE = ("-DEKW_CORE=EKW_PORTABLE",)
"""The core that every board can run, rather than the best one for this computer."""
_BEST = ("-O3", "-march=native")
_PURPOSE = "compiling the kernels for this computer"


def library(sources: Mapping[str, bytes], folder: Path | None, options: Options = None) -> ctypes.CDLL:
    """The C files and headers of `sources` as a library, from `folder` or built and left there.

    Raises BoardError without a compiler or when the C does not compile.
    """
    compiler = tools.require(COMPILER, _PURPOSE)
    chosen = flags(options)
    if folder is None:
        return _loaded_from_nowhere(_built(compiler, chosen, sources))
    key = _key(compiler, chosen, sources)
    return _kept(folder, key) or _stored(folder, key, _built(compiler, chosen, sources))


def has_compiler() -> bool:
    return shutil.which(COMPILER) is not None


def flags(options: Options = None) -> tuple[str, ...]:
    """Of the compiler, without files. Raises BoardError without one."""
    if options is None:
        options = _BEST if defines(_BEST) else _BEST[:1]
    return (*CFLAGS, *options, f"-I{FIRMWARE}")


def defines(options: tuple[str, ...]) -> bytes:
    """What the compiler defines by itself: its version, the instructions it may use. Empty when it refuses options."""
    return _defines(tools.require(COMPILER, _PURPOSE), options)


@cache
def _defines(compiler: str, options: tuple[str, ...]) -> bytes:
    done = subprocess.run(
        [compiler, *options, "-dM", "-E", "-x", "c", "-"], input=b"", capture_output=True, check=False
    )
    return done.stdout if done.returncode == 0 else b""


def _key(compiler: str, flags: tuple[str, ...], sources: Mapping[str, bytes]) -> str:
    headers = {str(path.relative_to(FIRMWARE)): path.read_bytes() for path in FIRMWARE.glob("kernels/**/*.h")}
    parts = [sha256(_defines(compiler, flags)), *(flag for flag in flags if not flag.startswith("-I"))]
    parts += [f"{name} {sha256(content)}" for name, content in sorted({**headers, **sources}.items())]
    return sha256("\n".join(parts).encode())[:32]


def _kept(folder: Path, key: str) -> ctypes.CDLL | None:
    """The library of this key, if there is one that is whole."""
    for path in sorted(folder.glob(f"{key}-*.so")):
        with suppress(OSError):  # another process may just have made room, or it is no library of this computer
            if sha256(path.read_bytes())[:32] == path.stem.removeprefix(f"{key}-"):
                path.touch()
                return ctypes.CDLL(str(path.resolve()))
    return None


def _stored(folder: Path, key: str, content: bytes) -> ctypes.CDLL:
    path = folder / f"{key}-{sha256(content)[:32]}.so"
    try:
        write_bytes(path, content)
        _make_room(folder)
        return ctypes.CDLL(str(path.resolve()))
    except (ArtifactError, OSError):  # a folder that cannot be written, or holds nothing that may be executed
        return _loaded_from_nowhere(content)


def _make_room(folder: Path) -> None:
    libraries = sorted(_dated(folder.glob("*.so")), reverse=True)
    for _, path in libraries[KEPT:]:
        path.unlink(missing_ok=True)


def _dated(paths: Iterator[Path]) -> Iterator[tuple[float, Path]]:
    for path in paths:
        with suppress(OSError):
            yield path.stat().st_mtime, path


def _loaded_from_nowhere(content: bytes) -> ctypes.CDLL:
    """A loaded library needs its file no more."""
    with tempfile.TemporaryDirectory(prefix="edgekws-library-") as temporary:
        path = Path(temporary) / "library.so"
        path.write_bytes(content)
        return ctypes.CDLL(str(path))


def _built(compiler: str, flags: Sequence[str], sources: Mapping[str, bytes]) -> bytes:
    with tempfile.TemporaryDirectory(prefix="edgekws-library-") as temporary:
        folder = Path(temporary)
        try:
            for name, content in sources.items():
                (folder / name).write_bytes(content)
        except OSError as error:
            raise BoardError(f"{folder} should take temporary files", got=str(error), hint="free some space") from error
        files = [str(folder / name) for name in sorted(sources) if name.endswith(".c")]
        shared = "-dynamiclib" if platform.system() == "Darwin" else "-shared"
        line = [compiler, *flags, f"-I{folder}", "-fPIC", shared, *files, "-o", str(folder / "library.so")]
        tools.run(line, "the C of the model should compile", "export the model again")
        return (folder / "library.so").read_bytes()
