"""C for our own runtime: constants, kernels and a list of their calls, as model.h and model.c.

The bodies of the kernels are in firmware_io/firmware/kernels; `ekw_node` there and `_structure` of layers.py are
mirrors: same names, same order. A model defines only the kernels that it needs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from edgekws.emit.c import extended
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
from edgekws.emit.c.layers import Layer
from edgekws.emit.c.layers import layers as layers_of
from edgekws.emit.c.scratch import bytes_of, cores, node_bytes
from edgekws.emit.c.text import braced, comment, string
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
_EXPONENTIALS = """\
extern const uint16_t ekw_model_exp[256]; /* round(65535 * exp(-d * score scale)), d steps below the best score */"""
_PROBABILITIES = "#define EKW_MODEL_PROBABILITIES /* scores are probabilities in steps of 1/256 from -128 */"
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
_INPUT = "input_order"
"""The structure that puts the channels of the input first."""
_CLEAR = """
/* The first state of a recurrent layer. */
static void ekw_clear(uint8_t *bytes, int32_t count) {
    for (; count > 0; count--) {
        *bytes++ = 0;
    }
}
"""


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
/* {comment(graph.name)}: written by edgekws, do not edit. Graph sha256 {digest(graph)} */
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
{_PROBABILITIES if graph.gives_probabilities else _EXPONENTIALS}

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
    places = _places(graph)
    layers = layers_of(graph.nodes, places)
    parts = [
        f'/* {comment(graph.name)}: written by edgekws, do not edit. */\n#include "model.h"\n\n',
        definitions(set().union(*(layer.kernels for layer in layers)), _bodies(graph, layers)),
        _CLEAR if any(layer.body for layer in layers) else "",
        f"\nconst char ekw_model_name[] = {string(graph.name)};\n",
        f"const char ekw_model_sha256[] = {string(digest(graph))};\n",
        braced("const char *const ekw_model_labels[EKW_MODEL_LABELS]", map(string, graph.labels)),
        braced("const char *const ekw_model_layers[EKW_MODEL_LAYERS]", (string(node.name) for node in graph.nodes)),
        _exponentials(graph),
        *(layer.constants(str(number)) for number, layer in enumerate(layers)),
        _run(graph, layers, places),
    ]
    return "".join(parts)


def _places(graph: Graph) -> dict[str, str]:
    """Where each tensor is, in C."""
    starts = {name: f"arena + {start}" for name, start in arena_plan(graph).starts.items()}
    return {INPUT: "input", graph.nodes[-1].name: "scores", **starts}


def _bodies(graph: Graph, layers: Iterable[Layer]) -> set[extended.Body]:
    first = [extended.channels_first(graph.in_shape)] if graph.in_shape[2] > 1 else []
    return {call.kernel for call in first}.union(*(layer.bodies for layer in layers))


def _exponentials(graph: Graph) -> str:
    """The table for probabilities of scores that are none."""
    if graph.gives_probabilities:
        return ""
    return braced("const uint16_t ekw_model_exp[256]", exp_table(graph.score_scale).tolist())


def _run(graph: Graph, layers: Iterable[Layer], places: Mapping[str, str]) -> str:
    text, first = _RUN_BEGIN, ""
    if graph.in_shape[2] > 1:
        text = extended.constants(_INPUT, extended.channels_first(graph.in_shape)) + text
        first = f"        {extended.channels_first(graph.in_shape).kernel.name}(&{_INPUT}, input, {places[INPUT]});\n"
    for number, layer in enumerate(layers):
        text += f"    case {number}: /* {comment(layer.node.name)} */\n{first}"
        text += "".join(f"        {line}\n" for line in layer.statements(str(number))) + "        break;\n"
        first = ""
    return text + _RUN_END
