"""C for our own runtime: constants and a list of kernel calls, as model.h and model.c.

The kernels are in firmware_io/firmware/kernels; `ekw_node` there and `_node` here are mirrors: same
names, same order. The arena is used from both ends: outputs of even nodes start at its beginning,
outputs of odd nodes end at its end, so that the input and the output of a node never overlap and the
arena is as large as the largest such pair.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np

from edgekws.errors import TargetError
from edgekws.graph.io import digest
from edgekws.graph.ir import Graph, Node
from edgekws.graph.softmax import exp_table

NOTE = "offset, scale, floor shift in 32-bit integers: the rule of the graph itself"
ARENA_ALIGNMENT = 8
_FUNCTIONS = {
    "conv2d": "ekw_conv2d",
    "depthwise_conv2d": "ekw_depthwise_conv2d",
    "global_sum_pool": "ekw_global_sum_pool",
    "linear": "ekw_linear",
}
_LINE_CHARACTERS = 110


def emit(graph: Graph) -> dict[str, bytes]:
    """model.h and model.c; the same graph gives the same bytes.

    Raises TargetError for what the kernels cannot express, and what Graph.check raises: the kernels
    rely on its proof that no accumulator overflows.
    """
    for node in graph.nodes:
        _refuse_foreign(node)
    graph.check()
    if graph.nodes[-1].requant.lo >= 0:
        raise TargetError(
            f"{graph.nodes[-1].name}: the scores of the C runtime are signed, -128..127",
            got="0..255",
            hint="quantize the last layer without a ReLU",
        )
    return {"model.h": _header(graph).encode(), "model.c": _source(graph).encode()}


def arena_bytes(graph: Graph) -> int:
    """RAM of the activations between the first and the last node, the input and the scores excluded."""
    between = [0, *(_tensor_bytes(node) for node in graph.nodes[:-1]), 0]
    return max(first + second for first, second in pairwise(between))


def _refuse_foreign(node: Node) -> None:
    if node.op not in _FUNCTIONS:
        raise TargetError(f"{node.name}: the C runtime has the layers {', '.join(_FUNCTIONS)}", got=str(node.op))
    if min(node.stride) < 1:
        raise TargetError(f"{node.name}: strides should be at least 1", got=str(node.stride))
    if min(node.pad) < 0:
        raise TargetError(f"{node.name}: padding should not be negative", got=str(node.pad))
    if node.weight is not None and not -128 <= node.weight.min() <= node.weight.max() <= 127:
        raise TargetError(f"{node.name}: weights should be int8", got=f"{node.weight.min()}..{node.weight.max()}")


def _tensor_bytes(node: Node) -> int:
    return -(-math.prod(node.out_shape) // ARENA_ALIGNMENT) * ARENA_ALIGNMENT


def _header(graph: Graph) -> str:
    height, width, channels = graph.in_shape
    return f"""\
/* {_comment(graph.name)}: written by edgekws, do not edit. Graph sha256 {digest(graph)} */
#ifndef EKW_MODEL_H
#define EKW_MODEL_H

#include <stdint.h>

#define EKW_MODEL_INPUT_HEIGHT {height}
#define EKW_MODEL_INPUT_WIDTH {width}
#define EKW_MODEL_INPUT_CHANNELS {channels}
#define EKW_MODEL_INPUT_BYTES {height * width * channels}
#define EKW_MODEL_LABELS {len(graph.labels)}
#define EKW_MODEL_ARENA_BYTES {arena_bytes(graph)}

extern const char ekw_model_name[];
extern const char ekw_model_sha256[];
extern const char *const ekw_model_labels[EKW_MODEL_LABELS];
extern const uint16_t ekw_model_exp[256]; /* round(65535 * exp(-d * score scale)), d steps below the best score */

/* input: int8 [height][width][channels]; scores: int8 [labels] */
void ekw_model_run(const int8_t *input, int8_t *scores);

#endif
"""


def _source(graph: Graph) -> str:
    parts = [
        f'/* {_comment(graph.name)}: written by edgekws, do not edit. */\n#include "model.h"\n',
        '#include "kernels/kernels.h"\n',
        f"\nconst char ekw_model_name[] = {_string(graph.name)};\n",
        f"const char ekw_model_sha256[] = {_string(digest(graph))};\n",
        _braced("const char *const ekw_model_labels[EKW_MODEL_LABELS]", map(_string, graph.labels)),
        _braced("const uint16_t ekw_model_exp[256]", exp_table(graph.score_scale).tolist()),
        *(_constants(number, node) + _node(number, node) for number, node in enumerate(graph.nodes)),
        _run(graph),
    ]
    return "".join(parts)


def _constants(number: int, node: Node) -> str:
    stage = node.requant
    arrays = [("int32_t", "offset", stage.offset), ("uint8_t", "mult", stage.mult), ("uint8_t", "shift", stage.shift)]
    text = f"\n/* {number}: {_comment(node.name)}, {node.op} */\n"
    for ctype, name, values in arrays if node.weight is None else [*arrays, ("int8_t", "weight", node.weight)]:
        text += _array(ctype, f"node{number}_{name}", values)
    return text


def _array(ctype: str, name: str, values: np.ndarray) -> str:
    shape = "".join(f"[{size}]" for size in values.shape)
    return _braced(f"static const {ctype} {name}[{values.size}] /* {shape} */", values.reshape(-1).tolist())


def _node(number: int, node: Node) -> str:
    array = f"node{number}_"
    weight = "0" if node.weight is None else f"{array}weight"
    stage = [f".{name} = {array}{name}" for name in ("offset", "mult", "shift")]
    stage += [f".lo = {node.requant.lo}", f".hi = {node.requant.hi}"]
    fields = [
        f".requant = {{{', '.join(stage)}}}",
        f".in_shape = {_tuple(node.in_shape)}",
        f".out_shape = {_tuple(node.out_shape)}",
        f".weight = {weight}",
        f".kernel = {_tuple(_kernel(node))}",
        f".stride = {_tuple(node.stride)}",
        f".pad = {_tuple(node.pad)}",
    ]
    return f"static const ekw_node node{number} = {{\n" + "".join(f"    {field},\n" for field in fields) + "};\n"


def _kernel(node: Node) -> Sequence[int]:
    windowed = node.weight is not None and node.op in ("conv2d", "depthwise_conv2d")
    return np.asarray(node.weight).shape[1:3] if windowed else (0, 0)


def _run(graph: Graph) -> str:
    size = arena_bytes(graph)
    arena = f"\nstatic _Alignas({ARENA_ALIGNMENT}) uint8_t arena[{size}];\n" if size else ""
    text = f"{arena}\nvoid ekw_model_run(const int8_t *input, int8_t *scores) {{\n"
    source = "input"
    for number, (node, lo, _) in enumerate(graph.ranges()):
        last = number == len(graph.nodes) - 1
        start = 0 if number % 2 == 0 else size - _tensor_bytes(node)
        destination = "(uint8_t *)scores" if last else f"arena + {start}"
        typed = source if number == 0 or lo >= 0 else f"(const int8_t *)({source})"
        text += f"    {_FUNCTIONS[node.op]}_{'s8' if lo < 0 else 'u8'}(&node{number}, {typed}, {destination});\n"
        source = destination
    return text + "}\n"


def _tuple(values: Iterable[int]) -> str:
    return "{" + ", ".join(str(int(value)) for value in values) + "}"


def _braced(declaration: str, values: Iterable[object]) -> str:
    lines = [""]
    for value in values:
        item = f"{value}, "
        if len(lines[-1]) + len(item) > _LINE_CHARACTERS:
            lines.append("")
        lines[-1] += item
    return f"{declaration} = {{\n" + "".join(f"    {line.rstrip()}\n" for line in lines) + "};\n"


def _plain(character: str) -> bool:
    return character.isascii() and (character.isalnum() or character in " _-.")


def _comment(text: str) -> str:
    return "".join(c if _plain(c) else "_" for c in text)


def _string(text: str) -> str:
    """A C literal; octal escapes end after three digits and keep trigraphs out."""
    return '"' + "".join(c if _plain(c) else "".join(f"\\{b:03o}" for b in c.encode()) for c in text) + '"'
