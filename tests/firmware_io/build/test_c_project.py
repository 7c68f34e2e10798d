"""The exported C project: complete, strict, small, without floats and without a heap."""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from edgekws.emit import c
from edgekws.graph.ir import Graph
from firmware_io import tools
from firmware_io.build import c_project, host_cc
from tests.conftest import random_graph
from tests.graphs import random_dag, random_general

GRAPHS = {
    "chain": random_graph,
    "tinpu": partial(random_dag, 95),
    "int8": partial(random_dag, 28, "int8"),
}
STRICT = ("-std=c11", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-I.")
ARM = {
    "m0plus": ("-mcpu=cortex-m0plus",),
    "m4": ("-mcpu=cortex-m4", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"),
    "m55": ("-mcpu=cortex-m55", "-mfloat-abi=hard"),
}
COMPILERS = {
    "gcc": ("gcc", "-O2"),
    "gcc-native": ("gcc", "-O3", "-march=native"),
    "clang": ("clang", "-O2"),
    "clang-native": ("clang", "-O3", "-march=native"),
}


def written(graph: Graph, folder: Path, min_ram: bool = False, break_score: bool = False) -> Path:
    rng = np.random.default_rng(5)
    height, width, channels = graph.in_shape
    features, labels = rng.integers(-128, 128, (6, height, width * channels)).astype(np.int8), np.arange(6) // 2
    scores = graph.run(features)
    scores[3, 2] ^= np.int8(break_score)
    golden = c_project.Golden(features, scores, labels, tuple(f"clip{i}*/.wav" for i in range(6)))
    for name, content in c_project.files(graph, golden, min_ram).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def needed(program: str) -> str:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is missing: {tools.install_hint(program)}")
    return program


def compiled(folder: Path, *line: str) -> str:
    done = subprocess.run(line, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("graph", GRAPHS)
def test_it_compiles_alone_and_its_golden_clips_pass(graph: str, compiler: str, tmp_path: Path) -> None:
    name, *flags = COMPILERS[compiler]
    if "-march=native" in flags and not host_cc.defines(("-march=native",)):
        pytest.skip("this computer's compiler has no -march=native")
    folder = written(GRAPHS[graph](), tmp_path)
    compiled(folder, needed(name), *STRICT, *flags, "main.c", "model.c", "-o", "golden")
    heard = compiled(folder, "./golden").splitlines()
    assert heard[-1] == "6 of 6 clips equal" and heard[0].startswith("word0") and len(heard) == 7


def test_a_wrong_score_fails_the_test(tmp_path: Path) -> None:
    folder = written(random_graph(), tmp_path, break_score=True)
    done = subprocess.run(["make", "test"], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode and "WRONG SCORES" in done.stdout and "5 of 6 clips equal" in done.stdout


@pytest.mark.parametrize("core", ARM)
@pytest.mark.parametrize("graph", GRAPHS)
def test_objects_for_arm_need_no_library_and_have_one_arena(graph: str, core: str, tmp_path: Path) -> None:
    folder, flags = written(GRAPHS[graph](), tmp_path), ("-O2", "-mthumb", "-ffreestanding", *ARM[core])
    for name in ("model", "main"):
        compiled(folder, needed("arm-none-eabi-gcc"), *STRICT, *flags, "-c", f"{name}.c", "-o", f"{name}.o")
    symbols = [line.split()[-2:] for line in compiled(folder, "arm-none-eabi-nm", "model.o").splitlines()]
    undefined = {name for kind, name in symbols if kind == "U"} - {"memcpy", "memset"}
    allowed = {"__aeabi_idiv", "__aeabi_idivmod", "__aeabi_uidiv", "__aeabi_uidivmod", "__aeabi_lmul", "__aeabi_lasr"}
    allowed |= {"__aeabi_llsl", "__aeabi_llsr", "__aeabi_lcmp"} if core == "m0plus" else set()
    assert undefined <= (allowed if core == "m0plus" else set())  # integers all of them; with soft floats as well
    changing = {name for kind, name in symbols if kind in "bBdDCS"}
    assert changing == {"arena"}
    code = compiled(folder, "arm-none-eabi-objdump", "-d", "model.o")
    assert not re.search(r"\bv\w+\.f(16|32|64)\b|\bv(add|sub|mul|div|cvt|sqrt)\w*\.f", code)


@pytest.mark.parametrize("graph", GRAPHS)
def test_no_floats_no_state_and_no_library_on_this_computer(graph: str, tmp_path: Path) -> None:
    """Without floating-point registers a compiler refuses every float."""
    folder = written(GRAPHS[graph](), tmp_path)
    flags = ("-O2", "-DEKW_CORE=EKW_PORTABLE", "-mgeneral-regs-only", "-fno-pie")  # addresses are constants
    compiled(folder, needed("gcc"), *STRICT, *flags, "-c", "model.c", "-o", "model.o")
    symbols = [line.split()[-2:] for line in compiled(folder, "nm", "model.o").splitlines()]
    assert {name for kind, name in symbols if kind == "U"} <= {"memcpy", "memset"}
    assert {name for kind, name in symbols if kind in "bBdDC"} == {"arena"}


def test_it_holds_the_kernels_of_this_model_and_no_others(tmp_path: Path) -> None:
    folder = written(random_graph(), tmp_path)
    held = {path.stem for path in (folder / "kernels").glob("*.h")}
    assert {"conv2d", "depthwise_conv2d", "linear", "global_sum_pool"} <= held and not {"add", "max_pool"} & held
    sources = [path.read_text() for path in folder.rglob("*.[ch]")]
    for name in {name for source in sources for name in re.findall(r'#include "([^"]+)"', source)}:
        assert (folder / name).exists(), name


def test_the_readme_says_what_the_plan_needs(tmp_path: Path) -> None:
    graph = random_graph()
    for min_ram in (False, True):
        text = (written(graph, tmp_path, min_ram) / "README.md").read_text()
        memory = c.memory(graph, min_ram)
        for core, scratch in memory.scratch.items():
            row = f"| {core} | `{c.cores()[core]}` | {memory.arena(core):,} | {memory.tensors:,} | {scratch:,} |"
            assert row in text
        assert ("least scratch" in text) == min_ram
        assert f"{graph.parameter_bytes:,} bytes of weights" in text and "word0, word1" in text


def test_a_model_without_a_front_end_whose_scores_are_probabilities(tmp_path: Path) -> None:
    graphs = (random_general(seed) for seed in range(300))
    graph = next(graph for graph in graphs if graph.gives_probabilities and graph.in_shape[2] == 3)
    folder = written(graph, tmp_path)
    compiled(folder, needed("gcc"), *STRICT, "-O0", "main.c", "model.c", "-o", "golden")
    assert compiled(folder, "./golden").splitlines()[-1] == "6 of 6 clips equal"
    text, (height, width, channels) = (folder / "README.md").read_text(), graph.in_shape
    assert f"int8 [{height}][{width}][{channels}]" in text and "EKW_MODEL_PROBABILITIES" in text
    assert f"{height * width * channels} and 12 bytes" in text and "ekw_model_exp" not in text
