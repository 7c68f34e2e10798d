"""TI's neural network compiler for microcontrollers (ti_mcu_nnc, closed source): its inputs and its command line.

A folder for it holds model.tinpu.onnx, compile.sh, golden.npz and test_vectors.h. compile.sh is the whole
command; `compile_model` runs it where the compiler is installed. The tests of edgekws do not run the compiler: they use
a fake that takes the same arguments.
Sources: TI neural network compiler guide 2.1 (targets, options, warnings), presets of tinyml-modelmaker.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgekws import plugins
from edgekws.emit.c.golden_header import header
from edgekws.errors import ArtifactError, ConfigError, unknown
from edgekws.files import write_bytes, write_text
from edgekws.graph import golden, interp
from edgekws.graph.ir import Graph

NAME, TARGET = "ti-nnc", "tinpu"
MODEL, SCRIPT, VECTORS, GOLDEN = "model.tinpu.onnx", "compile.sh", "test_vectors.h", "golden.npz"
LIBRARY = Path("artifacts", "mod.a")
PER_LABEL = 2
GUIDE = "software-dl.ti.com/mctools/nnc/mcu/users_guide"
HOW_TO_GET = (
    "install ti_mcu_nnc 2.1 into a Python 3.10 environment (its wheels are for no other version, and no package "
    f"index has them) as {GUIDE} says under 'Installing the Compiler', and run compile.sh"
)
_REFUSED = re.compile(r"(\w+) layer NOT offloaded to TI-NPU")


@dataclass(frozen=True)
class Toolchain:
    """TI's C compiler of a device. variable: environment variable with the user's options; root: that of its folder."""

    mcpu: str
    npu: str
    compiler: str
    variable: str
    options: str
    root: str = ""


_ARM_NPU, _ARM_OPTIONS = "ti-npu", "-I. -Wno-return-type"
_C28X_OPTIONS = (
    "--float_support=fpu32 --abi=eabi -O3 --opt_for_speed=5 --c99 -v28 -ml -mt --gen_func_subsections "
    "-I$C2000_CGT_PATH/include -I. -Iartifacts --obj_directory=."
)
TOOLCHAINS = {
    "f28p55x": Toolchain("c28", "ti-npu type=hard", "cl2000", "CL2000_OPTIONS", _C28X_OPTIONS, "C2000_CGT_PATH"),
    "mspm0g5187": Toolchain(
        "cortex-m0plus",
        _ARM_NPU,
        "tiarmclang",
        "TIARMCLANG_OPTIONS",
        f"-Os -mcpu=cortex-m0plus -mthumb -mfloat-abi=soft {_ARM_OPTIONS}",
    ),
    "am13e2": Toolchain(
        "cortex-m33",
        _ARM_NPU,
        "tiarmclang",
        "TIARMCLANG_OPTIONS",
        f"-O3 -mcpu=cortex-m33 -mthumb -mfpu=fpv5-sp-d16 -mfloat-abi=hard -mlittle-endian {_ARM_OPTIONS}",
    ),
}


@dataclass(frozen=True)
class Compiled:
    """library: mod.a, built by TI's compiler. on_cpu: the kind of each layer that it left to the CPU."""

    library: Path
    on_cpu: tuple[str, ...]


def toolchain(device: str) -> Toolchain:
    """The C compiler for a device. Raises ConfigError that lists the devices."""
    chain = TOOLCHAINS.get(device.lower())
    if chain is None:
        raise ConfigError(unknown("--device", device, TOOLCHAINS))
    return chain


def command(graph: Graph, device: str) -> str:
    """The line that compiles `graph` for `device`, in sh, run in the folder that `write` made.

    An input normalization in the graph stays there; otherwise the firmware normalizes and passes int8 features.
    """
    chain = toolchain(device)
    skip = "false" if graph.nodes[0].op == "scale" else "true"
    target = f"c, {chain.npu} skip_normalize={skip} output_int=true"
    words = ["tvmc", "compile", f"--target={target}", f"--target-c-mcpu={chain.mcpu}", f"./{MODEL}"]
    words += ["-o", LIBRARY.as_posix(), f"--cross-compiler={chain.compiler}"]
    return f'{shlex.join(words)} --cross-compiler-options="${chain.variable}"'


def write(
    folder: Path, graph: Graph, device: str, features: np.ndarray, labels: np.ndarray, ids: Sequence[str]
) -> None:
    """Write what the compiler and a test on the device need into `folder`.

    features: int8 [n, frames, coefficients], labels: int [n], ids: names of the clips; the first two of each
    label are taken. Raises TargetError when the graph cannot be written for TI's NPU.
    """
    line = command(graph, device)
    chosen = golden.choose(labels, PER_LABEL)
    features, labels, names = features[chosen], labels[chosen], [ids[index] for index in chosen]
    for name, content in plugins.load("emitters", "onnx_tinpu").emit(graph).items():
        write_bytes(folder / name, content)
    golden.write(folder / GOLDEN, graph, features, labels, names)
    write_text(folder / VECTORS, header(graph, features, interp.run(graph, features), labels, names))
    write_text(folder / SCRIPT, _script(graph, device, line))
    (folder / SCRIPT).chmod(0o755)


def installed() -> bool:
    """Whether the tvmc on the PATH is TI's: that of upstream TVM has no target ti-npu."""
    if shutil.which("tvmc") is None:
        return False
    completed = subprocess.run(["tvmc", "compile", "--help"], capture_output=True, text=True, check=False)
    return "ti-npu" in completed.stdout


def compile_model(folder: Path) -> Compiled:
    """Run compile.sh. Raises ConfigError without TI's compiler and ArtifactError when it makes no library."""
    if not installed():
        raise ConfigError("TI's neural network compiler should be on the PATH", got="none", hint=HOW_TO_GET)
    library = folder / LIBRARY
    library.unlink(missing_ok=True)
    completed = subprocess.run(["sh", SCRIPT], cwd=folder, capture_output=True, text=True, check=False)
    output = completed.stdout + completed.stderr
    write_text(folder / "compile.log", output)
    if completed.returncode or not library.exists():
        last = " ".join(output.split("\n")[-4:]).strip() or f"exit code {completed.returncode}"
        hint = f"see {folder / 'compile.log'}"
        raise ArtifactError(f"TI's compiler should make {library}", got=last, hint=hint)
    return Compiled(library, tuple(_REFUSED.findall(output)))


def _script(graph: Graph, device: str, line: str) -> str:
    chain = toolchain(device)
    root = f': "${{{chain.root}:?should be the folder of the C compiler}}"\n' if chain.root else ""
    name = " ".join(graph.name.split())  # a graph may come from anyone: a line break in its name would start a command
    return f"""#!/bin/sh
# {name} for {device}, by TI's neural network compiler. {HOW_TO_GET}.
# {chain.compiler} is TI's C compiler and should be on the PATH. Guide: {GUIDE}
set -eu
cd "$(dirname "$0")"
{root}: "${{{chain.variable}:={chain.options}}}"
mkdir -p {LIBRARY.parent.as_posix()}
{line}
"""
