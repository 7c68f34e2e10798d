"""Compiles C for this computer into shared libraries and caches them.

    <key>-<hash>.so    key: hash of the sources, the command and the compiler's predefined macros (version, processor);
                       hash: of the library, so that a damaged one is noticed and built again

A finished library is renamed into place, and one in use is never overwritten. Two processes that build the same
library at the same time both succeed. When the folder cannot be written, nothing is cached.
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

from edgekws.errors import ArtifactError
from edgekws.files import sha256, write_bytes
from edgekws.files.os_errors import no_temporary_files
from firmware_io import tools
from firmware_io.build import CFLAGS, FIRMWARE

COMPILER = "cc"
Options = tuple[str, ...] | None
"""Options of the compiler; None for those of the fastest code on this computer."""
MAX_CACHED = 128
"""Libraries in a folder; beyond that, the least recently used ones are deleted."""
PORTABLE = ("-DEKW_CORE=EKW_PORTABLE",)
"""Selects the portable kernels, instead of the fastest ones for this computer."""
_BEST = ("-O3", "-march=native")
_PURPOSE = "compiling the kernels for this computer"


def library(sources: Mapping[str, bytes], folder: Path | None, options: Options = None) -> ctypes.CDLL:
    """The C files and headers of `sources` (name -> content) as a loaded library, cached in `folder`.

    folder: None for no cache. Raises BoardError without a compiler or when the C does not compile.
    """
    compiler = tools.require(COMPILER, _PURPOSE)
    chosen = flags(options)
    if folder is None:
        return _load_uncached(_built(compiler, chosen, sources))
    key = _key(compiler, chosen, sources)
    return _cached(folder, key) or _store(folder, key, _built(compiler, chosen, sources))


def has_compiler() -> bool:
    """Whether a C compiler for this computer is in the PATH."""
    return shutil.which(COMPILER) is not None


def flags(options: Options = None) -> tuple[str, ...]:
    """All flags of the compiler, without files. Raises BoardError without a compiler."""
    if options is None:
        options = _BEST if defines(_BEST) else _BEST[:1]
    return (*CFLAGS, *options, f"-I{FIRMWARE}")


def defines(options: tuple[str, ...]) -> bytes:
    """The compiler's predefined macros (-dM -E), which tell its version and the instruction set.

    Empty when it refuses `options`. Raises BoardError without a compiler.
    """
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


def _cached(folder: Path, key: str) -> ctypes.CDLL | None:
    """The cached library of this key, if there is an undamaged one."""
    for path in sorted(folder.glob(f"{key}-*.so")):
        with suppress(OSError):  # another process may just have deleted it, or it is of another computer
            if sha256(path.read_bytes())[:32] == path.stem.removeprefix(f"{key}-"):
                path.touch()
                return ctypes.CDLL(str(path.resolve()))
    return None


def _store(folder: Path, key: str, content: bytes) -> ctypes.CDLL:
    path = folder / f"{key}-{sha256(content)[:32]}.so"
    try:
        write_bytes(path, content)
        _make_room(folder)
        return ctypes.CDLL(str(path.resolve()))
    except (ArtifactError, OSError):  # the folder is not writable, or is mounted noexec
        return _load_uncached(content)


def _make_room(folder: Path) -> None:
    libraries = sorted(_dated(folder.glob("*.so")), reverse=True)
    for _, path in libraries[MAX_CACHED:]:
        path.unlink(missing_ok=True)


def _dated(paths: Iterator[Path]) -> Iterator[tuple[float, Path]]:
    for path in paths:
        with suppress(OSError):
            yield path.stat().st_mtime, path


def _load_uncached(content: bytes) -> ctypes.CDLL:
    """Load from a temporary file, which is not needed after loading."""
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
            raise no_temporary_files(folder, error) from error
        files = [str(folder / name) for name in sorted(sources) if name.endswith(".c")]
        shared = "-dynamiclib" if platform.system() == "Darwin" else "-shared"
        line = [compiler, *flags, f"-I{folder}", "-fPIC", shared, *files, "-o", str(folder / "library.so")]
        tools.run(line, "the C of the model should compile", "export the model again")
        return (folder / "library.so").read_bytes()
