"""External programs: find them, run them, and say how to install a missing one on this computer."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence

from edgekws.errors import BoardError

_PACKAGES = {  # program -> package of apt, command for brew
    "arm-none-eabi-gcc": ("gcc-arm-none-eabi", "brew install --cask gcc-arm-embedded"),
    "arm-none-eabi-size": ("binutils-arm-none-eabi", "brew install --cask gcc-arm-embedded"),
    "qemu-system-arm": ("qemu-system-arm", "brew install qemu"),
    "riscv64-unknown-elf-gcc": (
        "gcc-riscv64-unknown-elf",
        "brew install riscv-software-src/riscv/riscv-gnu-toolchain",
    ),
    "riscv64-unknown-elf-size": (
        "binutils-riscv64-unknown-elf",
        "brew install riscv-software-src/riscv/riscv-gnu-toolchain",
    ),
    "qemu-system-riscv32": ("qemu-system-misc", "brew install qemu"),
    "openocd": ("openocd", "brew install open-ocd"),
    "cc": ("gcc", "xcode-select --install"),
    "size": ("binutils", "xcode-select --install"),
}


def require(program: str, purpose: str) -> str:
    """The full path of `program`. purpose: starts the error. Raises BoardError, which says how to install it."""
    path = shutil.which(program)
    if path is None:
        raise BoardError(f"{purpose} needs {program}", got="no such program", hint=install_hint(program))
    return path


def install_hint(program: str) -> str:
    """How to install `program` here: the command of apt or Homebrew where the package is known."""
    apt, brew = _PACKAGES.get(program, ("", ""))
    if sys.platform == "darwin" and brew:
        return f"run `{brew}`"
    if shutil.which("apt-get") and apt:
        return f"run `sudo apt-get install --no-install-recommends {apt}`"
    return f"install {program} and make sure that it is in the PATH"


def run(command: Sequence[str], what: str, hint: str) -> str:
    """Run a command to its end and return its stdout.

    what, hint: of the error. Raises BoardError, which quotes the first error lines, for an exit status other than 0.
    """
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode != 0:
        lines = [line.strip() for line in done.stderr.splitlines() if "error" in line.lower()] or [done.stderr.strip()]
        raise BoardError(what, got=" / ".join(lines[:3]) or f"exit status {done.returncode}", hint=hint)
    return done.stdout
