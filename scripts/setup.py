"""Everything that edgekws needs on this machine: system packages, .venv, a CPU build of torch, the package.

    python3 scripts/setup.py            what is missing; done again, it does nothing
    TORCH=cuda python3 scripts/setup.py     take the CUDA build of torch, also in place of another; TORCH=cpu: back
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
from urllib.parse import unquote, urlparse

HERE = Path(__file__).resolve().parent.parent
VENV = HERE / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / ".edgekws-ready"
CONSTRAINTS = HERE / "requirements" / "constraints.txt"

PROGRAMS = HERE / "firmware_io" / "programs.toml"
"""Program -> package manager -> package; firmware_io/tools.py reads it too."""
SYSTEM = {
    "qemu-system-arm": "runs the emulated boards",
    "arm-none-eabi-gcc": "compiles the firmware",
    "qemu-system-riscv32": "runs the emulated RISC-V board",
    "riscv64-unknown-elf-gcc": "compiles the firmware for RISC-V",
    "cc": "compiles the firmware for the host board",
    "wasm-ld": "compiles the page of `edgekws export --format web`",
    "espeak-ng": "makes a small spoken set when there is no recording and no network",
}
"""Program -> what it is for."""
APT = {}
"""Programs that only apt's packages bring -> the package."""
ENSUREPIP = "ensurepip"  # Debian keeps this part of Python in a package of its own
if Path("/etc/debian_version").exists():
    SYSTEM[ENSUREPIP], APT[ENSUREPIP] = "makes virtual environments", "python3-venv"
BROWSER = "chromium-headless-shell"
BROWSERS = (BROWSER, "chromium", "chromium-browser", "google-chrome")
"""One of them is enough."""
RELEASE = Path("/etc/os-release")
if RELEASE.exists() and "ID=debian" in RELEASE.read_text().splitlines():  # Ubuntu has no Chromium of apt's
    SYSTEM[BROWSER], APT[BROWSER] = "tests the page of `edgekws data clean`", BROWSER
OPTIONAL = {"espeak-ng", "wasm-ld", "qemu-system-riscv32", "riscv64-unknown-elf-gcc", BROWSER}
"""Without these all but one board, data set or test works."""


def main() -> None:
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        stop(f"edgekws needs Python 3.11 to 3.13, this is {sys.version.split()[0]}: run make PYTHON=python3.12, say")
    system_packages()
    if os.environ.get("TORCH", "") not in ("", "cpu", "cuda"):
        stop(f"TORCH should be cpu or cuda, this is {os.environ['TORCH']}")
    if ready():
        return
    if other := owner():
        stop(
            f"The environment {VENV} belongs to the clone {other}; after an installation from here its\n"
            f"commands would run the files of this clone. For an environment of its own, remove {VENV}\n"
            f"here (a link, if it is shared) and run the same command again; to use the shared one as it\n"
            f"is, run {PYTHON} with PYTHONPATH={HERE}."
        )
    environment()
    torch()
    pip("install", "-c", str(CONSTRAINTS), "-e", f"{HERE}[dev,all]")
    STAMP.write_text(f"{fingerprint()} {os.environ.get('TORCH_INDEX', '')}".strip())
    print("edgekws is ready: .venv/bin/edgekws --help")


def system_packages() -> None:
    missing = {tool: SYSTEM[tool] for tool in SYSTEM if not is_there(tool)}
    if not missing:
        return
    apt_install([tool for tool in missing if tool not in OPTIONAL], *([tool] for tool in missing if tool in OPTIONAL))
    for tool, purpose in missing.items():
        if not is_there(tool):
            needed = "" if tool in OPTIONAL else " The emulated or host boards will not work without it."
            print(f"warning: {tool} is missing; it {purpose}. To install it: {hint(tool)}.{needed}", flush=True)


def apt_install(*groups: list[str]) -> None:
    """Each group on its own: apt installs nothing of a list in which it does not know one package."""
    apt = shutil.which("apt-get")
    root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if not apt or (root and not shutil.which("sudo")):
        return
    quiet = {"env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}, "stdout": subprocess.DEVNULL}
    subprocess.run([*root, apt, "update", "-qq"], check=False, **quiet)
    for packages in [" ".join(package(tool, "apt-get") for tool in group).split() for group in groups if group]:
        print(f"installing {' '.join(packages)}", flush=True)
        subprocess.run([*root, apt, "install", "-y", "-qq", "--no-install-recommends", *packages], check=False, **quiet)


def is_there(tool: str) -> bool:
    if tool == ENSUREPIP:
        return importlib.util.find_spec(tool) is not None
    if tool == BROWSER:
        return any(map(shutil.which, BROWSERS))
    return shutil.which(tool) is not None


def package(tool: str, manager: str) -> str:
    """The package of a manager that has `tool`; "" where none is known."""
    return programs().get(tool, {}).get(manager, APT.get(tool, "") if manager == "apt-get" else "")


def hint(tool: str) -> str:
    """The command that installs `tool` here, as far as a package is known."""
    for manager, command in programs()["managers"].items():
        if shutil.which(manager) and package(tool, manager):
            return f"{command} {package(tool, manager)}"
    return f"find the package of this system that has {tool}"


def programs() -> dict:
    import tomllib  # not in the Pythons that `main` refuses

    return tomllib.loads(PROGRAMS.read_text(encoding="utf-8"))


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
    index, wanted = os.environ.get("TORCH_INDEX"), os.environ.get("TORCH", "")
    version, build = installed_torch()
    if requirement == f"torch=={version}" and not (index or (wanted and wanted != build)):
        return
    again = ["--force-reinstall", "--no-deps"] if version else []  # the same version in another build
    if index:
        pip("install", "--extra-index-url", index, *again, requirement)
    elif wanted == "cuda" or not chooses_cuda(requirement):
        pip("install", *again, requirement)
        if again:
            pip("install", requirement)  # and what the build depends on
    else:
        cpu_build(requirement)


def installed_torch() -> tuple[str, str]:
    """(version, "cpu" or "cuda") of the torch in the environment; empty without one.

    A build for CPUs says so in its version (2.13.0+cpu), or depends on no package of CUDA.
    """
    code = """
from importlib.metadata import requires, version
local = version("torch").partition("+")
needs = [one for one in requires("torch") or () if one.startswith(("nvidia", "cuda")) and "extra ==" not in one]
print(local[0], "cuda" if local[2].startswith("cu") or (needs and local[2] != "cpu") else "cpu")
"""
    asked = subprocess.run([str(PYTHON), "-c", code], capture_output=True, text=True, check=False)
    version, _, build = asked.stdout.strip().partition(" ")
    return version, build


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
    command += ["--reinstall-package", "torch"] if installed_torch()[0] else []
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


def ready() -> bool:
    """Whether all is as the last set-up left it, and TORCH or TORCH_INDEX, where given, ask for nothing else."""
    if not (STAMP.exists() and works()):
        return False
    done, _, index = STAMP.read_text().partition(" ")
    wanted = os.environ.get("TORCH", "")
    as_wanted = not wanted or installed_torch()[1] == wanted
    return done == fingerprint() and as_wanted and os.environ.get("TORCH_INDEX", index) == index


def owner() -> Path | None:
    """Another clone whose files the environment runs, as one does that is shared by a link; None for this one."""
    code = "from importlib.metadata import distribution as d; print(d('edgekws').read_text('direct_url.json') or '')"
    if not PYTHON.exists():
        return None
    asked = subprocess.run([str(PYTHON), "-I", "-c", code], capture_output=True, text=True, check=False)
    if asked.returncode or not asked.stdout.strip():
        return None
    place = Path(unquote(urlparse(json.loads(asked.stdout)["url"]).path))
    return place if place.is_dir() and place.resolve() != HERE else None


def stop(message: str) -> None:
    sys.exit(message)


if __name__ == "__main__":
    main()
