"""Build the wheel, install it alone in a fresh environment, and use it in a folder of its own.

    make check-wheel       takes half a minute to two; exits with the first command that fails

Only the base dependencies are there, at the versions of requirements/constraints.txt: no torch, no ONNX, no plots. A
released model is checked, exported, built and benched on the host board; a command that needs an extra has to say so.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import venv
import wave
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
CONSTRAINTS = HERE / "requirements" / "constraints.txt"


@dataclass(frozen=True)
class Step:
    """`edgekws ARGUMENTS` should exit with `exit_code` and print `text`."""

    arguments: tuple[str, ...]
    text: str
    exit_code: int = 0


STEPS = (
    Step(("--version",), "edgekws "),
    Step(("boards",), "qemu-an386"),
    Step(("models",), "dscnn"),
    Step(("check", "dscnn"), "fits"),
    Step(("info", "dscnn"), "dscnn"),
    Step(("bench", "--out", "dscn"), "did you mean dscnn", exit_code=8),
    Step(("train", "--recipe", "dscnn"), "uv pip install torch --torch-backend cpu", exit_code=4),
    Step(("predict", "dscnn", "beep.wav"), 'pip install "edgekws[train]"', exit_code=4),
    Step(("export", "--format", "c", "--out", "dscnn"), "0 of 576"),
    Step(("flash", "--board", "host", "--out", "dscnn"), "edgekws-host answers"),
    Step(
        ("bench", "--board", "host", "--mode", "accuracy", "--clips", "5", "--out", "dscnn"),
        "board equals interpreter: 5 of 5",
    ),
    Step(("export", "--format", "tflite", "--out", "dscnn"), 'pip install "edgekws[export]"', exit_code=4),
)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="edgekws-wheel-") as temporary:
        folder = Path(temporary)
        python = installed(built(folder / "dist"), folder / "environment")
        empty = folder / "empty"
        empty.mkdir()
        with wave.open(str(empty / "beep.wav"), "wb") as file:
            file.setparams((1, 2, 16_000, 16_000, "NONE", ""))
            file.writeframes(bytes(32_000))
        for step in STEPS:
            check(step, python, empty)
    print(f"the wheel works alone: {len(STEPS)} commands in an empty folder")


def built(folder: Path) -> Path:
    """The wheel of this checkout."""
    pip(sys.executable, "wheel", "--no-deps", "--wheel-dir", str(folder), str(HERE))
    wheel = next(folder.glob("edgekws-*.whl"))
    print(f"{wheel.name}: {wheel.stat().st_size:,} bytes", flush=True)
    return wheel


def installed(wheel: Path, folder: Path) -> str:
    """The Python of a new environment that has the wheel and its base dependencies."""
    venv.create(folder, with_pip=True)
    python = str(folder / "bin" / "python")
    pip(python, "install", "-c", str(CONSTRAINTS), str(wheel))
    return python


def pip(python: str, *arguments: str) -> None:
    command = [python, "-m", "pip", *arguments, "--disable-pip-version-check", "-q"]
    subprocess.run(command, check=True, env=environment())


def check(step: Step, python: str, folder: Path) -> None:
    """Run one command; exit with what it printed where it is not as it should be."""
    command = [python, "-m", "edgekws", *step.arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, env=environment())
    printed = " ".join((done.stdout + done.stderr).split())
    if done.returncode != step.exit_code or step.text not in printed:
        sys.exit(
            f"edgekws {' '.join(step.arguments)}: exit code {done.returncode}, expected {step.exit_code} and "
            f"{step.text!r}\n{done.stdout}{done.stderr}"
        )
    print(f"ok: edgekws {' '.join(step.arguments)}", flush=True)


def environment() -> dict[str, str]:
    """This environment without what would let the checkout be imported instead of the wheel."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


if __name__ == "__main__":
    main()
