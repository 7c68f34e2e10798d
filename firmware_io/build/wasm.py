"""Compiles C for WebAssembly: by clang and lld of this computer, or else by the clang of the package ziglang.

Nothing is linked but the files themselves, since the kernels call no library.
"""

from __future__ import annotations

import importlib.util
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from edgekws.errors import BoardError
from edgekws.files.os_errors import no_temporary_files
from firmware_io import tools
from firmware_io.build import CFLAGS, FIRMWARE

COMPILER, LINKER, PACKAGE = "clang", "wasm-ld", "ziglang"
_FLAGS = (
    *("-nostdlib", "-ffreestanding", "-fno-builtin", "-DEKW_CORE=EKW_PORTABLE"),
    *("-ffunction-sections", "-fdata-sections", "-Wl,--no-entry", "-Wl,--gc-sections", "-Wl,--strip-all"),
)
"""Without -fno-builtin loops become calls of memset and memcpy."""


def compiler() -> tuple[str, ...]:
    """The command that compiles for WebAssembly, without files. Raises BoardError that says how to install one."""
    clang = shutil.which(COMPILER)
    if clang and shutil.which(LINKER):
        return clang, "--target=wasm32"
    if importlib.util.find_spec(PACKAGE):
        return sys.executable, "-m", PACKAGE, "cc", "-target", "wasm32-freestanding"
    missing = [program for program in (COMPILER, LINKER) if not shutil.which(program)]
    hint = f"{tools.install_hint(missing[-1])}, or `pip install {PACKAGE}`"
    raise BoardError("compiling for a web page needs clang and lld", got=f"no {' and no '.join(missing)}", hint=hint)


def module(sources: Mapping[str, bytes]) -> bytes:
    """A WebAssembly module of C files and headers, name -> content; it exports what their attributes say.

    Raises BoardError without a compiler or when the C does not compile.
    """
    command = compiler()
    with tempfile.TemporaryDirectory(prefix="edgekws-wasm-") as temporary:
        folder = Path(temporary)
        try:
            for name, content in sources.items():
                (folder / name).write_bytes(content)
        except OSError as error:
            raise no_temporary_files(folder, error) from error
        files = [str(folder / name) for name in sorted(sources) if name.endswith(".c")]
        output = folder / "module.wasm"
        includes = (f"-I{folder}", f"-I{FIRMWARE}")
        line = [*command, *CFLAGS, *_FLAGS, *includes, *files, "-o", str(output)]
        tools.run(line, "the C of the model should compile for WebAssembly", "export the model again")
        return output.read_bytes()
