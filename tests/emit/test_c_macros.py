"""Sizes of scratch memory: the host's reading of the C macros is what the compiler makes of them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from edgekws.emit.c import scratch
from edgekws.emit.c.macros import Macros
from edgekws.errors import ArtifactError
from edgekws.graph.ir import Node
from firmware_io.build import FIRMWARE
from tests.graphs import TARGETS, random_dag


@pytest.mark.parametrize(
    ("text", "arguments", "expected"),
    [
        ("#define F(x) ((x) / 4 * 4)", (11,), 8),
        ("#define F(x) (((x) + 15) & -16)", (17,), 32),
        ("#define F(x) ~3 & (x)", (7,), 4),
        ("#define F(x) EKW_IF((x) > 2 && (x) != 5, 1, 0)\n", (5,), 0),
        ("#define TWO 2 /* of them */\n#define F(x) \\\n    (G(x, TWO) % 5)\n#define G(a, b) ((a) << (b))", (4,), 1),
        ("#if 0\n#define F(x) (x)\n#endif", (3,), 3),
    ],
)
def test_macros_are_evaluated_as_c_does(text: str, arguments: tuple[int, ...], expected: int) -> None:
    assert Macros([text]).value("F", *arguments) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("#define G 1", "0 definitions"),
        ("#define F(x) 1\n#define F(x) 2", "2 definitions"),
        ("#define F 1", "1 arguments for 0"),
        ("#define F(x) ((x) ? 1 : 2)", r"\? 1 : 2"),
        ("#define F(x) sizeof(int)", "macro int .* 0 definitions"),
        ("#define F(x) ((x) ^ 1)", "BitXor"),
        ("#define F(x) (-(x) / 2)", "division of -3 by 2"),
        ('#define F(x) "text"', "text"),
        ("#define F(x) (1 < (x) < 3)", "1 < x < 3"),
    ],
)
def test_what_c_would_compute_otherwise_is_refused(text: str, message: str) -> None:
    with pytest.raises(ArtifactError, match=message):
        Macros([text]).value("F", 3)


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a compiler")
@pytest.mark.parametrize(("core", "options"), [("portable", ()), ("avx2", ("-mavx2",))])
def test_the_compiler_gives_the_same_sizes(core: str, options: tuple[str, ...], tmp_path: Path) -> None:
    """For every convolution of some random graphs. The other cores need the headers of their own compilers."""
    graphs = [random_dag(seed, target) for seed in range(12) for target in TARGETS]
    nodes = [node for graph in graphs for node in graph.nodes if node.operation.is_convolution]
    expected = [host_size(node, scratch.macros_of(core)) for node in nodes]
    (tmp_path / "sizes.c").write_text(program(nodes))
    command = ["cc", "-std=c11", *options, f"-DEKW_CORE={scratch.cores()[core]}", f"-I{FIRMWARE}"]
    subprocess.run([*command, "-o", tmp_path / "sizes", tmp_path / "sizes.c"], check=True)
    printed = subprocess.run([tmp_path / "sizes"], check=True, capture_output=True, text=True).stdout
    assert [int(size) for size in printed.split()] == expected and len(set(expected)) > 10


def host_size(node: Node, macros: Macros) -> int:
    if node.operation.is_depthwise:
        return macros.value("EKW_PLANE_BYTES", scratch.c_node(node), *node.extent)
    return macros.value("EKW_CONV2D_BYTES", macros.value("EKW_TAPS", scratch.c_node(node)), node.weight_bits, 8, 4, 12)


def program(nodes: list[Node]) -> str:
    """C that prints what `host_size` gives."""
    text = '#include <stdio.h>\n#include "kernels/conv2d.h"\n\nint main(void) {\n'
    for node in nodes:
        fields = {name: getattr(node, name) for name in ("in_shape", "out_shape", "kernel", "stride", "pad")}
        values = ", ".join(f".{name} = {{{', '.join(map(str, each))}}}" for name, each in fields.items())
        conv2d = f"EKW_CONV2D_BYTES(EKW_TAPS(&node), {node.weight_bits}, 8, 4, 12)"
        plane = f"EKW_PLANE_BYTES(&node, {node.extent[0]}, {node.extent[1]})"
        size = plane if node.operation.is_depthwise else conv2d
        text += f'    {{ const ekw_node node = {{{values}}}; printf("%d\\n", (int){size}); }}\n'
    return text + "    return 0;\n}\n"
