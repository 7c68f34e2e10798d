"""C for our own runtime: constants, kernels and a list of their calls, as model.h and model.c.

The bodies of the kernels are in firmware_io/firmware/kernels; `ekw_node` there and `_node` here are
mirrors: same names, same order. A model defines only the kernels that it needs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from edgekws.emit.c.arena import plan as arena_plan
from edgekws.emit.c.kernels import (
    Kernel,
    definitions,
    every_kernel,
    filters,
    general_fields,
    is_general,
    kernel,
    packed,
)
from edgekws.emit.c.scratch import bytes_of, cores, node_bytes
from edgekws.graph.io import digest
from edgekws.graph.ir import INPUT, Graph, Node
from edgekws.graph.softmax import exp_table

__all__ = [
    "NOTE",
    "Kernel",
    "Memory",
    "cores",
    "definitions",
    "emit",
    "every_kernel",
    "filters",
    "general_fields",
    "is_general",
    "kernel",
    "memory",
    "packed",
    "scratch_bytes",
]

NOTE = "the requantization of the graph itself, in integers: floor shift, or TFLite's fixed point"
_LINE_CHARACTERS = 110
_RUN_BEGIN = """
/* One byte more: a model of one layer needs none, and C has no empty arrays. */
static _Alignas(EKW_ALIGNMENT) uint8_t arena[EKW_MODEL_ARENA_BYTES + 1];

void ekw_model_run_layer(int32_t number, const int8_t *input, int8_t *scores) {
    const ekw_scratch scratch = {arena + EKW_MODEL_TENSOR_BYTES, EKW_MODEL_SCRATCH_BYTES};
    switch (number) {
"""
_RUN_END = """\
    default:
        break;
    }
}

void ekw_model_run(const int8_t *input, int8_t *scores) {
    for (int32_t number = 0; number < EKW_MODEL_LAYERS; number++) {
        ekw_model_run_layer(number, input, scores);
    }
}
"""
_MULTIPLIER = {"offset-scale-shift": "uint8_t", "fixed-point": "int32_t", "fixed-point-once": "int32_t"}


@dataclass(frozen=True)
class Memory:
    """RAM of a model, bytes. tensors: activations, without the input and the scores. scratch: by name of the core."""

    tensors: int
    scratch: Mapping[str, int]

    def arena(self, core: str) -> int:
        return self.tensors + self.scratch[core]


def memory(graph: Graph, min_ram: bool = False) -> Memory:
    """The memory plan that `emit` writes. min_ram: less scratch memory, more instructions."""
    scratch = {core: bytes_of(graph, core, min_ram) for core in cores()}
    return Memory(arena_plan(graph).size, scratch)


def scratch_bytes(node: Node, core: str, min_ram: bool = False) -> int:
    """Scratch memory of the kernel of one node, bytes."""
    return node_bytes(node, core, min_ram)


def emit(graph: Graph, min_ram: bool = False) -> dict[str, bytes]:
    """model.h and model.c; the same graph gives the same bytes.

    Raises what Graph.check raises: the kernels rely on its proof that no accumulator overflows.
    """
    graph.check()
    return {"model.h": _header(graph, memory(graph, min_ram)).encode(), "model.c": _source(graph).encode()}


def _header(graph: Graph, plan: Memory) -> str:
    height, width, channels = graph.in_shape
    return f"""\
/* {_comment(graph.name)}: written by edgekws, do not edit. Graph sha256 {digest(graph)} */
#ifndef EKW_MODEL_H
#define EKW_MODEL_H

#include <stdint.h>

#include "kernels/cores/core.h"

#define EKW_MODEL_INPUT_HEIGHT {height}
#define EKW_MODEL_INPUT_WIDTH {width}
#define EKW_MODEL_INPUT_CHANNELS {channels}
#define EKW_MODEL_INPUT_BYTES {height * width * channels}
#define EKW_MODEL_LABELS {len(graph.labels)}
#define EKW_MODEL_LAYERS {len(graph.nodes)}

/* RAM between the input and the scores: tensors, and what the kernels of this core need while they run. */
#define EKW_MODEL_TENSOR_BYTES {plan.tensors}
{_scratch_sizes(plan)}#define EKW_MODEL_ARENA_BYTES (EKW_MODEL_TENSOR_BYTES + EKW_MODEL_SCRATCH_BYTES)

extern const char ekw_model_name[];
extern const char ekw_model_sha256[];
extern const char *const ekw_model_labels[EKW_MODEL_LABELS];
extern const char *const ekw_model_layers[EKW_MODEL_LAYERS];
extern const uint16_t ekw_model_exp[256]; /* round(65535 * exp(-d * score scale)), d steps below the best score */

/* input: int8 [height][width][channels]; scores: int8 [labels] */
void ekw_model_run(const int8_t *input, int8_t *scores);

/* One layer of it. All of them in order, from 0, are ekw_model_run. */
void ekw_model_run_layer(int32_t number, const int8_t *input, int8_t *scores);

#endif
"""


def _scratch_sizes(plan: Memory) -> str:
    text = ""
    for number, (core, macro) in enumerate(cores().items()):
        text += f"#{'elif' if number else 'if'} EKW_CORE == {macro}\n"
        text += f"#define EKW_MODEL_SCRATCH_BYTES {plan.scratch[core]}\n"
    return text + "#endif\n"


def _source(graph: Graph) -> str:
    signs = _signs(graph)
    kernels = [kernel(node, signed) for node, signed in zip(graph.nodes, signs, strict=True)]
    parts = [
        f'/* {_comment(graph.name)}: written by edgekws, do not edit. */\n#include "model.h"\n\n',
        definitions(set(kernels)),
        f"\nconst char ekw_model_name[] = {_string(graph.name)};\n",
        f"const char ekw_model_sha256[] = {_string(digest(graph))};\n",
        _braced("const char *const ekw_model_labels[EKW_MODEL_LABELS]", map(_string, graph.labels)),
        _braced("const char *const ekw_model_layers[EKW_MODEL_LAYERS]", (_string(node.name) for node in graph.nodes)),
        _braced("const uint16_t ekw_model_exp[256]", exp_table(graph.score_scale).tolist()),
        *(_constants(number, node) + _node(number, node, signs[number]) for number, node in enumerate(graph.nodes)),
        _run(graph, kernels),
    ]
    return "".join(parts)


def _signs(graph: Graph) -> list[tuple[bool, ...]]:
    """Whether each input of each node is -128..127 rather than 0..255."""
    signed = {INPUT: True, **{node.name: not node.is_unsigned for node in graph.nodes}}
    return [tuple(signed[name] for name in node.inputs) for node in graph.nodes]


def _constants(number: int, node: Node) -> str:
    text = f"\n/* {number}: {_comment(node.name)}, {node.op} of {_comment(', '.join(node.inputs))} */\n"
    requant = node.requant
    if not requant.is_identity:
        text += _array("int32_t", f"node{number}_offset", requant.offset, requant.offset.shape)
        text += _array(_MULTIPLIER[requant.rule], f"node{number}_mult", requant.mult, requant.mult.shape)
        text += _array("uint8_t", f"node{number}_shift", requant.shift.astype(np.uint8), requant.shift.shape)
    if node.weight is not None:
        weight, note = filters(node), f", {node.weight_bits} bits"
        text += _array("int8_t", f"node{number}_weight", packed(weight, node.weight_bits), weight.shape, note)
    return text


def _array(ctype: str, name: str, values: np.ndarray, shape: tuple[int, ...], note: str = "") -> str:
    """shape: of the unpacked values, which differs from that of `values` when several weights share a byte."""
    meaning = "".join(f"[{size}]" for size in shape) + note
    return _braced(f"static const {ctype} {name}[{values.size}] /* {meaning} */", values.reshape(-1).tolist())


def _node(number: int, node: Node, signed: tuple[bool, ...]) -> str:
    array = f"node{number}_"
    weight = "0" if node.weight is None else f"{array}weight"
    plain = node.requant.is_identity
    requant = [f".{name} = {'0' if plain else array + name}" for name in ("offset", "mult", "shift")]
    requant += [f".lo = {node.requant.lo}", f".hi = {node.requant.hi}"]
    fields = [
        f".requant = {{{', '.join(requant)}}}",
        f".in_shape = {_tuple(node.in_shape)}",
        f".out_shape = {_tuple(node.out_shape)}",
        f".weight = {weight}",
        f".kernel = {_tuple(node.kernel)}",
        f".stride = {_tuple(node.stride)}",
        f".pad = {_tuple(node.pad)}",
    ]
    lines = [f"    {field},\n" for field in fields]
    if not is_general(node, signed):
        return f"static const ekw_node node{number} = {{\n{''.join(lines)}}};\n"
    inner = "".join(f"    {line}" for line in lines)
    more = [
        f"    .{name} = {_tuple(value) if isinstance(value, tuple) else value},\n"
        for name, value in general_fields(node, signed).items()
    ]
    return f"static const ekw_general node{number} = {{\n    .node = {{\n{inner}    }},\n{''.join(more)}}};\n"


def _run(graph: Graph, kernels: Iterable[Kernel]) -> str:
    places = {INPUT: "input", graph.nodes[-1].name: "scores"}
    places.update((name, f"arena + {start}") for name, start in arena_plan(graph).starts.items())
    text = _RUN_BEGIN
    for number, (node, called) in enumerate(zip(graph.nodes, kernels, strict=True)):
        tensors = ", ".join(places[name] for name in (*node.inputs, node.name))
        scratch = ", scratch" if node.operation.input_count == 1 else ""
        text += f"    case {number}: /* {_comment(node.name)} */\n"
        text += f"        {called.name}(&node{number}, {tensors}{scratch});\n        break;\n"
    return text + _RUN_END


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
