"""C for our own runtime: constants, kernels and a list of their calls, as model.h and model.c.

The bodies of the kernels are in firmware_io/firmware/kernels; `ekw_node` there and `_node` here are
mirrors: same names, same order. A model defines only the kernels that it needs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from edgekws.emit.c import extended
from edgekws.emit.c.arena import plan as arena_plan
from edgekws.emit.c.extended import Call
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
from edgekws.emit.c.text import array, braced, comment, integers, string
from edgekws.graph.io import digest
from edgekws.graph.ir import INPUT, SIGNED, Graph, Node
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


@dataclass(frozen=True)
class _Layer:
    """A node as C has it. kernel: of basic ops, and then signed, whether each input is -128..127 rather than 0..255;
    calls: of all others.
    """

    node: Node
    kernel: Kernel | None
    signed: tuple[bool, ...]
    calls: tuple[Call, ...] = ()


def _source(graph: Graph) -> str:
    places = _places(graph)
    layers = _layers(graph, places)
    parts = [
        f'/* {comment(graph.name)}: written by edgekws, do not edit. */\n#include "model.h"\n\n',
        definitions({layer.kernel for layer in layers if layer.kernel}, _bodies(graph, layers)),
        f"\nconst char ekw_model_name[] = {string(graph.name)};\n",
        f"const char ekw_model_sha256[] = {string(digest(graph))};\n",
        braced("const char *const ekw_model_labels[EKW_MODEL_LABELS]", map(string, graph.labels)),
        braced("const char *const ekw_model_layers[EKW_MODEL_LAYERS]", (string(node.name) for node in graph.nodes)),
        _exponentials(graph),
        *(_layer(number, layer) for number, layer in enumerate(layers)),
        _run(graph, layers, places),
    ]
    return "".join(parts)


def _places(graph: Graph) -> dict[str, str]:
    """Where each tensor is, in C."""
    starts = {name: f"arena + {start}" for name, start in arena_plan(graph).starts.items()}
    return {INPUT: "input", graph.nodes[-1].name: "scores", **starts}


def _layers(graph: Graph, places: Mapping[str, str]) -> list[_Layer]:
    ranges = {INPUT: SIGNED, **{node.name: (node.requant.lo, node.requant.hi) for node in graph.nodes}}
    layers = []
    for node in graph.nodes:
        read = [ranges[name] for name in node.inputs]
        signed = tuple(lo < 0 for lo, _ in read)
        is_basic = node.operation.is_basic
        calls = () if is_basic else tuple(_needed(node, extended.calls(node, read), places))
        layers.append(_Layer(node, kernel(node, signed) if is_basic else None, signed, calls))
    return layers


def _needed(node: Node, calls: Iterable[Call], places: Mapping[str, str]) -> Iterator[Call]:
    """All but copies of a tensor to where it is."""
    for call in calls:
        if not (call.is_moot_in_place and places[node.inputs[call.inputs[0]]] == places[node.name]):
            yield call


def _bodies(graph: Graph, layers: Iterable[_Layer]) -> set[extended.Body]:
    first = [extended.channels_first(graph.in_shape)] if graph.in_shape[2] > 1 else []
    return {call.kernel for call in [*first, *(call for layer in layers for call in layer.calls)]}


def _exponentials(graph: Graph) -> str:
    """The table for probabilities of scores that are none."""
    if graph.gives_probabilities:
        return ""
    return braced("const uint16_t ekw_model_exp[256]", exp_table(graph.score_scale).tolist())


def _layer(number: int, layer: _Layer) -> str:
    node = layer.node
    text = f"\n/* {number}: {comment(node.name)}, {node.op} of {comment(', '.join(node.inputs))} */\n"
    if layer.kernel:
        return text + _constants(number, node) + _node(number, node, layer.signed)
    return text + "".join(
        extended.constants(name, call) for name, call in zip(_names(number, layer), layer.calls, strict=False)
    )


def _names(number: int, layer: _Layer) -> list[str]:
    """Of the structures of a layer."""
    few = len(layer.calls) < 2
    return [f"node{number}"] if few else [f"node{number}_{call}" for call in range(len(layer.calls))]


def _constants(number: int, node: Node) -> str:
    text = ""
    requant = node.requant
    if not requant.is_identity:
        text += array("int32_t", f"node{number}_offset", requant.offset, requant.offset.shape)
        text += array(_MULTIPLIER[requant.rule], f"node{number}_mult", requant.mult, requant.mult.shape)
        text += array("uint8_t", f"node{number}_shift", requant.shift.astype(np.uint8), requant.shift.shape)
    if node.weight is not None:
        weight, note = filters(node), f", {node.weight_bits} bits"
        text += array("int8_t", f"node{number}_weight", packed(weight, node.weight_bits), weight.shape, note)
    return text


def _node(number: int, node: Node, signed: tuple[bool, ...]) -> str:
    array = f"node{number}_"
    weight = "0" if node.weight is None else f"{array}weight"
    plain = node.requant.is_identity
    requant = [f".{name} = {'0' if plain else array + name}" for name in ("offset", "mult", "shift")]
    requant += [f".lo = {node.requant.lo}", f".hi = {node.requant.hi}"]
    fields = [
        f".requant = {{{', '.join(requant)}}}",
        f".in_shape = {integers(node.in_shape)}",
        f".out_shape = {integers(node.out_shape)}",
        f".weight = {weight}",
        f".kernel = {integers(node.kernel)}",
        f".stride = {integers(node.stride)}",
        f".pad = {integers(node.pad)}",
    ]
    lines = [f"    {field},\n" for field in fields]
    if not is_general(node, signed):
        return f"static const ekw_node node{number} = {{\n{''.join(lines)}}};\n"
    inner = "".join(f"    {line}" for line in lines)
    more = [
        f"    .{name} = {integers(value) if isinstance(value, tuple) else value},\n"
        for name, value in general_fields(node, signed).items()
    ]
    return f"static const ekw_general node{number} = {{\n    .node = {{\n{inner}    }},\n{''.join(more)}}};\n"


def _run(graph: Graph, layers: Iterable[_Layer], places: Mapping[str, str]) -> str:
    text, first = _RUN_BEGIN, ""
    if graph.in_shape[2] > 1:
        text = extended.constants(_INPUT, extended.channels_first(graph.in_shape)) + text
        first = f"        {extended.channels_first(graph.in_shape).kernel.name}(&{_INPUT}, input, {places[INPUT]});\n"
    for number, layer in enumerate(layers):
        text += f"    case {number}: /* {comment(layer.node.name)} */\n{first}"
        text += "".join(f"        {line};\n" for line in _statements(number, layer, places)) + "        break;\n"
        first = ""
    return text + _RUN_END


def _statements(number: int, layer: _Layer, places: Mapping[str, str]) -> Iterator[str]:
    node, names = layer.node, _names(number, layer)
    read, written = [places[name] for name in node.inputs], places[node.name]
    if layer.kernel:
        scratch = ", scratch" if node.operation.input_count == 1 else ""
        yield f"{layer.kernel.name}(&{names[0]}, {', '.join([*read, written])}{scratch})"
    for name, call in zip(names, layer.calls, strict=False):
        yield f"{call.kernel.name}(&{name}, {', '.join([*(read[at] for at in call.inputs), written])})"
