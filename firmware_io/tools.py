"""External programs: find them, run them, and say how to install a missing one on this computer."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

from edgekws.errors import BoardError

PACKAGES = Path(__file__).with_name("programs.toml")
"""The package managers, and the package that has each program."""


def require(program: str, purpose: str) -> str:
    """The full path of `program`. purpose: starts the error. Raises BoardError, which says how to install it."""
    path = shutil.which(program)
    if path is None:
        raise BoardError(f"{purpose} needs {program}", got="no such program", hint=install_hint(program))
    return path


def install_hint(program: str) -> str:
    """How to install `program` here: a command of this system's package manager, where the package is known."""
    if sys.platform == "darwin" and program in _XCODE:
        return "run `xcode-select --install`"
    known = tomllib.loads(PACKAGES.read_text(encoding="utf-8"))
    packages = known.get(program, {})
    for manager, command in known["managers"].items():
        if manager in packages and shutil.which(manager):
            return f"run `{command} {packages[manager]}`"
    return f"install {program} and make sure that it is in the PATH"


_XCODE = ("cc", "size", "codesign")


def run(command: Sequence[str], what: str, hint: str) -> str:
    """Run a command to its end and return its stdout.

    what, hint: of the error. Raises BoardError, which quotes the first error lines, for an exit status other than 0.
    """
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode != 0:
        lines = [line.strip() for line in done.stderr.splitlines() if "error" in line.lower()] or [done.stderr.strip()]
        raise BoardError(what, got=" / ".join(lines[:3]) or f"exit status {done.returncode}", hint=hint)
    return done.stdout
