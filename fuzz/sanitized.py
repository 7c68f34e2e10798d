"""Compiles C with the address and undefined-behaviour sanitizers; the programs stop at the first finding."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from firmware_io.build import CFLAGS, FIRMWARE

HERE = Path(__file__).parent / "c"
SANITIZERS = ("-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
ENVIRONMENT = {"ASAN_OPTIONS": "detect_leaks=0:abort_on_error=1", "UBSAN_OPTIONS": "print_stacktrace=1"}
"""Leak detection is off: the firmware has no heap, and LeakSanitizer needs ptrace, which containers refuse."""


def compile_c(sources: Iterable[Path], model: Path, out: Path, *options: str, compiler: str = "cc") -> Path:
    """Compile `sources` into `out`. model: the folder of model.h.

    Raises CalledProcessError with the compiler's messages in its stderr.
    """
    line = [compiler, *CFLAGS, *SANITIZERS, *options, f"-I{FIRMWARE}", f"-I{model}", *map(str, sources)]
    subprocess.run([*line, "-o", str(out)], check=True, capture_output=True, text=True)
    return out


def works(compiler: str, folder: Path) -> bool:
    """Whether `compiler` is installed with its sanitizer libraries. folder: for temporary files."""
    if shutil.which(compiler) is None:
        return False
    (folder / "nothing.c").write_text("int main(void) { return 0; }\n")
    try:
        program = compile_c([folder / "nothing.c"], folder, folder / "nothing", compiler=compiler)
    except subprocess.CalledProcessError:
        return False
    return subprocess.run([program], check=False, env=environment()).returncode == 0


def environment() -> dict[str, str]:
    return {**os.environ, **ENVIRONMENT}


def start(program: Path, *arguments: object) -> subprocess.Popen[str]:
    words: Sequence[str] = [str(program), *map(str, arguments)]
    out, together = subprocess.PIPE, subprocess.STDOUT
    return subprocess.Popen(words, stdout=out, stderr=together, text=True, errors="replace", env=environment())
