"""C of a graph over a stream: model_stream.h and model_stream.c, beside model.h, which has names and labels.

A step computes what edgekws.graph.stream.plan says, with the kernels of model.c; those that keep or read rows are in
firmware/kernels/stream. rows.py says how one row of each node is computed, memory.py where everything is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from edgekws.emit.c import extended
from edgekws.emit.c.extended import Body, Call, Range
from edgekws.emit.c.kernels import definitions, kernel
from edgekws.emit.c.layers import Layer
from edgekws.emit.c.scratch import cores
from edgekws.emit.c.stream import column
from edgekws.emit.c.stream.memory import StreamMemory, plan_memory
from edgekws.emit.c.stream.rows import RowNode, is_separable, row_node
from edgekws.emit.c.text import comment
from edgekws.graph.ir import INPUT, SIGNED, Graph
from edgekws.graph.stream.plan import Buffer, StepNode, StreamPlan
from edgekws.graph.stream.plan import plan as plan_of

__all__ = ["FILES", "StreamMemory", "emit", "memory"]
FILES = ("model_stream.h", "model_stream.c")
_INPUT_ORDER = "input_order"
_SEPARABLE = "separable_row"
_FUSED_KERNEL = f"ekw_{_SEPARABLE}_u8_w8_shift"
_FUSED = ["ekw_depthwise_conv2d_row_u8_w8_shift", "ekw_conv2d_row_u8_w8_shift"]
"""Kernels of neighbours that _FUSED_KERNEL replaces."""
_ALIGNED = ("static const int8_t", "static const _Alignas(4) int8_t")
"""Kernels of rows read weights in words."""


def emit(graph: Graph, min_ram: bool = False) -> dict[str, bytes]:
    """model_stream.h and model_stream.c; the same graph gives the same bytes. They need the model.h of edgekws.emit.c.

    Raises TargetError with the layer that forbids a stream, and what Graph.check raises.
    """
    graph.check()
    writer = _Writer(graph, min_ram)
    return dict(zip(FILES, (writer.header().encode(), writer.source().encode()), strict=True))


def memory(graph: Graph, min_ram: bool = False) -> StreamMemory:
    """The memory plan that `emit` writes. Raises what it raises."""
    return _Writer(graph, min_ram).memory


@dataclass(frozen=True)
class _Part:
    """A node of the step: what it computes, how, and its C."""

    step: StepNode
    row: RowNode
    layer: Layer


class _Writer:
    def __init__(self, graph: Graph, min_ram: bool) -> None:
        self.graph, self.plan = graph, plan_of(graph)
        self.parts = list(_parts(graph, self.plan))
        self.fused = set(self._fused())
        self.memory = plan_memory(self.plan, [part.row for part in self.parts], min_ram)

    def header(self) -> str:
        plan, memory = self.plan, self.memory
        row = plan.buffers[INPUT].row_bytes
        return f"""\
/* {comment(self.graph.name)} over a stream: written by edgekws, do not edit. */
#ifndef EKW_MODEL_STREAM_H
#define EKW_MODEL_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "model.h"

#define EKW_STREAM_ROW_BYTES {row} /* of one row of features */
#define EKW_STREAM_STEP_ROWS {plan.step_rows} /* from one score to the next */
#define EKW_STREAM_FIRST_ROWS {plan.first_rows} /* until the first scores */

/* RAM: what lives from step to step; tensors of a step, and what the kernels of this core need while they run. */
#define EKW_STREAM_STATE_BYTES {memory.state}
#define EKW_STREAM_TENSOR_BYTES {memory.tensors}
{_scratch_sizes(memory)}
/* Begins a new stream. */
void ekw_stream_reset(void);

/* Takes one row of features, int8 [width][channels]. True where it completes a step: then scores, int8
 * [EKW_MODEL_LABELS], are those of the stream up to this row. Without scores, what they hold means nothing. */
bool ekw_stream_row(const int8_t *row, int8_t *scores);

/* The same for EKW_STREAM_STEP_ROWS rows, after which at most one step is complete. */
bool ekw_stream_rows(const int8_t *rows, int8_t *scores);

#endif
"""

    def source(self) -> str:
        order = self._input_order()
        bodies: set[Body] = {order.kernel} if order else set()
        for part in self.parts:
            bodies |= part.layer.bodies | ({part.row.gathered.kernel} if part.row.gathered else set())
        used = {each for number, part in enumerate(self.parts) for each in part.layer.kernels if self._alone(number)}
        head = f"/* {comment(self.graph.name)} over a stream: written by edgekws, do not edit. */\n{_INCLUDES}"
        return "".join(
            (
                head,
                f'#include "kernels/stream/{_SEPARABLE}.h"\n' if self.fused else "",
                definitions(used, bodies),
                _MEMORY,
                extended.constants(_INPUT_ORDER, order) if order else "",
                *(self._constants(number, part) for number, part in enumerate(self.parts)),
                self._step(),
                self._reset(),
                self._row(order),
            )
        )

    def _fused(self) -> Iterator[int]:
        """Numbers of depthwise layers that are computed together with the next layer, their only reader."""
        readers = [read.tensor for part in self.parts for read in part.step.reads]
        for number, (one, other) in enumerate(pairwise(self.parts)):
            name = one.step.node.name
            is_alone = readers.count(name) == 1 and other.step.reads[0].tensor == name
            is_kept = self.plan.buffers[name].is_state or one.step.blank_rows or other.step.blank_rows
            kernels = [part.layer.kernel.name if part.layer.kernel else "" for part in (one, other)]
            if is_alone and not is_kept and kernels == _FUSED and is_separable(one.row, other.row):
                yield number

    def _alone(self, number: int) -> bool:
        return number not in self.fused and number - 1 not in self.fused

    def _input_order(self) -> Call | None:
        """Channels first, for inputs of several."""
        _, width, channels = self.graph.in_shape
        return extended.channels_first((1, width, channels)) if channels > 1 and width > 1 else None

    def _constants(self, number: int, part: _Part) -> str:
        text = part.layer.constants(str(number)).replace(*_ALIGNED)
        if part.row.gathered:
            text += extended.constants(f"node{number}_rows", part.row.gathered)
        if part.step.pool_rows:
            start, size = self.memory.pools[part.step.node.name]
            text += f"static const ekw_scratch node{number}_state = {{state + {start}, {size}}};\n"
        return text

    def _step(self) -> str:
        lines = [f"ekw_move_rows({line});" for line in self._moves(inner=True)]
        for number, part in enumerate(self.parts):
            lines += [f"/* {comment(part.step.node.name)} */", *self._statements(number, part)]
        return _STEP.replace("$lines", "".join(f"    {line}\n" for line in lines))

    def _moves(self, inner: bool) -> Iterator[str]:
        """Arguments that move buffers up. inner: those of nodes, else that of the input."""
        for name, buffer in self.plan.buffers.items():
            if buffer.is_state and (name != INPUT) == inner:
                array, start = self.memory.places[name]
                yield f"{array} + {start}, {buffer.new_rows * buffer.row_bytes}, {buffer.bytes}"

    def _statements(self, number: int, part: _Part) -> Iterator[str]:
        if number in self.fused:
            return
        output = self.plan.buffers[part.step.node.name]
        lines, many = list(self._calls(number, part, output)), output.new_rows > 1
        if part.step.blank_rows:
            place = f"steps * {output.new_rows} + row" if many else "steps"
            fill = f"ekw_fill_bytes({self._output(output)}, {output.fill}, {output.row_bytes});"
            blank = [] if part.step.pool_rows else [f"if ({place} < {part.step.blank_rows}) {{", f"    {fill}", "}"]
            lines = [*blank, f"if ({place} >= {part.step.blank_rows}) {{", *(f"    {line}" for line in lines), "}"]
        if many:
            lines = [f"for (int32_t row = 0; row < {output.new_rows}; row++) {{", *(f"    {x}" for x in lines), "}"]
        yield from lines

    def _calls(self, number: int, part: _Part, output: Buffer) -> Iterator[str]:
        """The calls that compute one row."""
        many, node = output.new_rows > 1, part.row.node
        if number - 1 in self.fused:
            yield self._separable(number, self.parts[number - 1], output)
            return
        read = [self._input(each.tensor, each.first, part.row.stride, many) for each in part.step.reads]
        if part.row.gathered_bytes:
            copy = f"arena + {self.memory.gathered[node.name]}"
            yield from self._gather(number, part, read[0], copy)
            read[0] = copy
        if part.layer.kernel:
            own = f", node{number}_state" if part.step.pool_rows else ", scratch"
            more = own if node.operation.input_count == 1 else ""
            yield f"{part.layer.kernel.name}(&node{number}, {', '.join([*read, self._output(output)])}{more});"
        for name, call in zip(part.layer.names, part.layer.calls, strict=False):
            tensors = [*(read[at] for at in call.inputs), self._output(output)]
            yield f"{call.kernel.name}(&node{number}{name}, {', '.join(tensors)});"

    def _separable(self, number: int, before: _Part, output: Buffer) -> str:
        many, (read,) = output.new_rows > 1, before.step.reads
        source = self._input(read.tensor, read.first, before.row.stride, many)
        between = self._input(before.step.node.name, 0, 1, many)
        places = f"{source}, {between}, {self._output(output)}"
        return f"{_FUSED_KERNEL}(&node{number - 1}, &node{number}, {places}, scratch);"

    def _gather(self, number: int, part: _Part, read: str, copy: str) -> Iterator[str]:
        if part.row.gathered:
            yield f"{part.row.gathered.kernel.name}(&node{number}_rows, {read}, {copy});"
            return
        bytes_ = self.plan.buffers[part.step.reads[0].tensor].row_bytes
        for tap in range(part.row.gathered_bytes // bytes_):
            yield f"ekw_copy_to({copy} + {tap * bytes_}, {read} + {tap * part.row.dilation * bytes_}, {bytes_});"

    def _input(self, tensor: str, first: int, stride: int, many: bool) -> str:
        """Where the rows begin that give row `row`."""
        array, start = self.memory.places[tensor]
        size = self.plan.buffers[tensor].row_bytes
        return f"{array} + {start + first * size}" + (f" + row * {stride * size}" if many else "")

    def _output(self, buffer: Buffer) -> str:
        if buffer.tensor == self.graph.nodes[-1].name:
            return "scores"
        return self._input(buffer.tensor, buffer.rows - buffer.new_rows, 1, buffer.new_rows > 1)

    def _reset(self) -> str:
        lines = ["ekw_fill_bytes(state, 0, EKW_STREAM_STATE_BYTES);"]
        for name, buffer in self.plan.buffers.items():
            array, start = self.memory.places.get(name, ("", 0))
            if buffer.fill and array == "state":
                lines.append(f"ekw_fill_bytes(state + {start}, {buffer.fill}, {buffer.bytes});")
        lines += ["steps = 0;", f"waiting = {self.plan.lead_rows};", "is_begun = true;"]
        return _RESET.replace("$lines", "".join(f"    {line}\n" for line in lines))

    def _row(self, order: Call | None) -> str:
        buffer, (_, start) = self.plan.buffers[INPUT], self.memory.places[INPUT]
        newest = start + (buffer.rows - buffer.new_rows) * buffer.row_bytes
        to = f"state + {newest} + waiting * {buffer.row_bytes}"
        copy = f"ekw_copy_to({to}, (const uint8_t *)row, {buffer.row_bytes});"
        if order:
            copy = f"{order.kernel.name}(&{_INPUT_ORDER}, row, {to});"
        moves = [f"    if (waiting == 0) {{\n        ekw_move_rows({line});\n    }}\n" for line in self._moves(False)]
        most = max([self.plan.warm_steps, *(part.step.blank_rows for part in self.parts)])
        text = _ROW.replace("$moves", "".join(moves)).replace("$copy", copy).replace("$most", str(most))
        return text.replace("$warm", str(self.plan.warm_steps))


def _parts(graph: Graph, plan: StreamPlan) -> Iterator[_Part]:
    ranges: dict[str, Range] = {INPUT: SIGNED}
    for step in plan.nodes:
        read = [ranges[each.tensor] for each in step.reads]
        ranges[step.node.name] = (step.node.requant.lo, step.node.requant.hi)
        row = row_node(graph, step, read[0])
        signed = tuple(lo < 0 for lo, _ in read)
        if row.node.operation.is_basic:
            ordered = (column.CORE, column.ordered(row.node)) if row.form == column.COLUMN else None
            layer = Layer(row.node, {}, replace(kernel(row.node, signed), form=row.form), signed, ordered=ordered)
        else:
            layer = Layer(row.node, {}, None, signed, tuple(extended.calls(row.node, read)))
        yield _Part(step, row, layer)


def _scratch_sizes(memory: StreamMemory) -> str:
    text = ""
    for number, (core, macro) in enumerate(cores().items()):
        text += f"#{'elif' if number else 'if'} EKW_CORE == {macro}\n"
        text += f"#define EKW_STREAM_SCRATCH_BYTES {memory.scratch[core]}\n"
    return text + "#endif\n"


_INCLUDES = """\
#define EKW_LINKAGE EKW_STATIC
#include "model_stream.h"

#include "kernels/stream/move.h"
"""
_MEMORY = """
/* One byte more: a model may need none, and C has no empty arrays. */
static _Alignas(EKW_ALIGNMENT) uint8_t state[EKW_STREAM_STATE_BYTES + 1];
static _Alignas(EKW_ALIGNMENT) uint8_t arena[EKW_STREAM_TENSOR_BYTES + EKW_STREAM_SCRATCH_BYTES + 1];
static int32_t steps;   /* since the stream began; they stop counting where all layers have rows */
static int32_t waiting; /* rows of the step that is not complete */
static bool is_begun;
"""
_STEP = """
static void run_step(int8_t *scores) {
    const ekw_scratch scratch = {arena + EKW_STREAM_TENSOR_BYTES, EKW_STREAM_SCRATCH_BYTES};
    (void)scratch;
$lines}
"""
_RESET = """
void ekw_stream_reset(void) {
$lines}
"""
_ROW = """
bool ekw_stream_row(const int8_t *row, int8_t *scores) {
    if (!is_begun) {
        ekw_stream_reset();
    }
$moves    $copy
    if (++waiting < EKW_STREAM_STEP_ROWS) {
        return false;
    }
    waiting = 0;
    run_step(scores);
    const bool has_scores = steps >= $warm;
    steps += steps < $most;
    return has_scores;
}

bool ekw_stream_rows(const int8_t *rows, int8_t *scores) {
    bool has_scores = false;
    for (int32_t i = 0; i < EKW_STREAM_STEP_ROWS; i++, rows += EKW_STREAM_ROW_BYTES) {
        has_scores = ekw_stream_row(rows, scores) || has_scores;
    }
    return has_scores;
}
"""
