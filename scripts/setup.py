"""Everything that edgekws needs on this machine: system packages, .venv, a CPU build of torch, the package.

    python3 scripts/setup.py            what is missing; done again, it does nothing
    TORCH=cuda python3 scripts/setup.py     take the CUDA build of torch
    TORCH_INDEX=ADDRESS ...                 take torch from this package index

Runs on the system's Python (3.11 to 3.13) with nothing but the standard library.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
VENV = HERE / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / ".edgekws-ready"
CONSTRAINTS = HERE / "requirements" / "constraints.txt"

SYSTEM = {
    "qemu-system-arm": ("qemu-system-arm", "runs the emulated boards"),
    "arm-none-eabi-gcc": ("gcc-arm-none-eabi", "compiles the firmware"),
    "qemu-system-riscv32": ("qemu-system-misc", "runs the emulated RISC-V board"),
    "riscv64-unknown-elf-gcc": ("gcc-riscv64-unknown-elf", "compiles the firmware for RISC-V"),
    "cc": ("gcc libc6-dev", "compiles the firmware for the host board"),
    "espeak-ng": ("espeak-ng", "makes a small spoken set when there is no recording and no network"),
}
ENSUREPIP = "ensurepip"  # Debian keeps this part of Python in a package of its own
if Path("/etc/debian_version").exists():
    SYSTEM[ENSUREPIP] = ("python3-venv", "makes virtual environments")
BROWSER = "chromium-headless-shell"
BROWSERS = (BROWSER, "chromium", "chromium-browser", "google-chrome")
"""One of them is enough."""
RELEASE = Path("/etc/os-release")
if RELEASE.exists() and "ID=debian" in RELEASE.read_text().splitlines():  # Ubuntu has no Chromium of apt's
    SYSTEM[BROWSER] = (BROWSER, "tests the page of `edgekws data clean`")
OPTIONAL = {"espeak-ng", "qemu-system-riscv32", "riscv64-unknown-elf-gcc", BROWSER}
"""Without these all but one board, data set or test works."""


def main() -> None:
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        stop(f"edgekws needs Python 3.11 to 3.13, this is {sys.version.split()[0]}: run make PYTHON=python3.12, say")
    system_packages()
    if works() and STAMP.exists() and STAMP.read_text() == fingerprint():
        return
    environment()
    torch()
    pip("install", "-c", str(CONSTRAINTS), "-e", f"{HERE}[dev,all]")
    STAMP.write_text(fingerprint())
    print("edgekws is ready: .venv/bin/edgekws --help")


def system_packages() -> None:
    missing = {tool: SYSTEM[tool] for tool in SYSTEM if not is_there(tool)}
    if not missing:
        return
    apt_install([tool for tool in missing if tool not in OPTIONAL], *([tool] for tool in missing if tool in OPTIONAL))
    for tool, (package, purpose) in missing.items():
        if not is_there(tool):
            needed = "" if tool in OPTIONAL else " The emulated or host boards will not work without it."
            print(f"warning: {tool} is missing; it {purpose}. Install it by hand: {hint(package)}.{needed}", flush=True)


def apt_install(*groups: list[str]) -> None:
    """Each group on its own: apt installs nothing of a list in which it does not know one package."""
    apt = shutil.which("apt-get")
    root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if not apt or (root and not shutil.which("sudo")):
        return
    quiet = {"env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}, "stdout": subprocess.DEVNULL}
    subprocess.run([*root, apt, "update", "-qq"], check=False, **quiet)
    for packages in [" ".join(SYSTEM[tool][0] for tool in group).split() for group in groups if group]:
        print(f"installing {' '.join(packages)}", flush=True)
        subprocess.run([*root, apt, "install", "-y", "-qq", "--no-install-recommends", *packages], check=False, **quiet)


def is_there(tool: str) -> bool:
    if tool == ENSUREPIP:
        return importlib.util.find_spec(tool) is not None
    if tool == BROWSER:
        return any(map(shutil.which, BROWSERS))
    return shutil.which(tool) is not None


def hint(package: str) -> str:
    if shutil.which("brew"):
        other = {
            "gcc-arm-none-eabi": "--cask gcc-arm-embedded",
            "qemu-system-arm": "qemu",
            "qemu-system-misc": "qemu",
            "gcc-riscv64-unknown-elf": "riscv-software-src/riscv/riscv-gnu-toolchain",
            "gcc libc6-dev": "gcc",
        }
        return f"brew install {other.get(package, package)}"
    return f"sudo apt-get install --no-install-recommends {package}"


def environment() -> None:
    if works():
        return
    made = subprocess.run(
        [sys.executable, "-m", "venv", "--clear", str(VENV)], check=False, capture_output=True, text=True
    )
    if made.returncode:
        stop(f"no virtual environment: {made.stdout.strip()}\nOn Debian: apt-get install python3-venv")


def works() -> bool:
    """Whether the environment is whole: a killed set-up can leave one without pip."""
    if not PYTHON.exists():
        return False
    return subprocess.run([str(PYTHON), "-m", "pip", "--version"], check=False, capture_output=True).returncode == 0


def torch() -> None:
    """Install torch first, so that nothing after it draws in several GB of CUDA packages."""
    requirement = next(line for line in CONSTRAINTS.read_text().split() if line.startswith("torch=="))
    if requirement == f"torch=={installed_torch()}":
        return
    index = os.environ.get("TORCH_INDEX")
    if index:
        pip("install", "--extra-index-url", index, requirement)
    elif os.environ.get("TORCH") == "cuda" or not chooses_cuda(requirement):
        pip("install", requirement)
    else:
        cpu_build(requirement)


def installed_torch() -> str:
    code = "from importlib.metadata import version; print(version('torch').split('+')[0])"
    return subprocess.run([str(PYTHON), "-c", code], capture_output=True, text=True, check=False).stdout.strip()


def chooses_cuda(requirement: str) -> bool:
    """Whether pip would take a build of torch that needs CUDA packages; asked without downloading it."""
    command = [str(PYTHON), "-m", "pip", "install", "-q", "--dry-run", "--no-deps", "--ignore-installed"]
    answer = subprocess.run([*command, "--report", "-", requirement], capture_output=True, text=True, check=False)
    if answer.returncode:
        stop(f"pip cannot find {requirement}:\n{answer.stderr.strip()}")
    needs = json.loads(answer.stdout)["install"][0]["metadata"].get("requires_dist", [])
    return any(need.startswith(("nvidia", "cuda")) and "extra ==" not in need for need in needs)


def cpu_build(requirement: str) -> None:
    """uv knows where PyTorch keeps its CPU builds."""
    pip("install", "uv")
    command = [str(VENV / "bin" / "uv"), "pip", "install", "--python", str(PYTHON), "--torch-backend", "cpu"]
    if subprocess.run([*command, requirement], check=False).returncode:
        stop(
            "The CPU build of torch could not be reached, and pip would download several GB of CUDA packages.\n"
            "Either set TORCH_INDEX to the CPU package index that PyTorch's install page shows, or accept the\n"
            "CUDA build with TORCH=cuda, then run the same command again."
        )


def pip(*arguments: str) -> None:
    command = [str(PYTHON), "-m", "pip", *arguments, "--disable-pip-version-check", "-q"]
    print("pip " + " ".join(a.replace(f"{HERE}", ".") for a in arguments), flush=True)
    if subprocess.run(command, check=False).returncode:
        stop("pip failed, see above; run the same command again once the network is back")


def fingerprint() -> str:
    place = f"{HERE} {sys.version}".encode()
    content = place + (HERE / "pyproject.toml").read_bytes() + CONSTRAINTS.read_bytes()
    return hashlib.sha256(content).hexdigest()


def stop(message: str) -> None:
    sys.exit(message)


if __name__ == "__main__":
    main()
