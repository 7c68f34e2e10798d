"""The layers of a graph as C has them: which kernels compute a node, its constants and its calls."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edgekws.emit.c import extended
from edgekws.emit.c.arena import body_name, body_plan
from edgekws.emit.c.extended import Body, Call, Range
from edgekws.emit.c.kernels import Kernel, filters, general_fields, is_general, kernel, packed
from edgekws.emit.c.text import array, comment, integers
from edgekws.graph.ir import INPUT, SIGNED, Node
from edgekws.graph.sums import STATE, step

Places = Mapping[str, str]
"""Where each tensor is, in C."""
_MULTIPLIER = {"offset-scale-shift": "uint8_t", "fixed-point": "int32_t", "fixed-point-once": "int32_t"}


@dataclass(frozen=True)
class Layer:
    """A node as C has it. kernel: of basic ops, and then signed, whether each input is -128..127 rather than 0..255;
    calls: of all others; of a scan, those that read the rows of its inputs, write that of its output, and keep the
    state. body: of a scan. places: of its tensors. ordered: the weights in another order, and the core that reads them
    in it.
    """

    node: Node
    places: Places
    kernel: Kernel | None
    signed: tuple[bool, ...]
    calls: tuple[Call, ...] = ()
    body: tuple[Layer, ...] = ()
    ordered: tuple[str, np.ndarray] | None = None

    @property
    def kernels(self) -> set[Kernel]:
        """Those of basic ops."""
        own = {self.kernel} if self.kernel else set()
        return own.union(*(each.kernels for each in self.body))

    @property
    def bodies(self) -> set[Body]:
        """The kernels of all other ops."""
        return {call.kernel for call in self.calls}.union(*(each.bodies for each in self.body))

    @property
    def names(self) -> list[str]:
        """What the structures are called, after the layer's number."""
        if self.node.body:
            return [*(f"_row{number}" for number in range(len(self.node.inputs))), "_state", "_kept"]
        return [""] if len(self.calls) < 2 else [f"_{call}" for call in range(len(self.calls))]

    def constants(self, number: str) -> str:
        """Arrays and structures in C. number: in their names."""
        node = self.node
        text = f"\n/* {number}: {comment(node.name)}, {node.op} of {comment(', '.join(node.inputs))} */\n"
        if self.kernel:
            return text + _arrays(number, node, self.ordered) + _structure(number, node, self.signed)
        named = zip(self.names, self.calls, strict=False)
        text += "".join(extended.constants(f"node{number}{name}", call) for name, call in named)
        return text + "".join(each.constants(f"{number}_body{inner}") for inner, each in enumerate(self.body))

    def statements(self, number: str) -> Iterator[str]:
        """Lines of C that compute the layer, indented by what encloses them."""
        if self.node.body:
            yield from self._loop(number)
            return
        read, written = [self.places[name] for name in self.node.inputs], self.places[self.node.name]
        if self.kernel:
            scratch = ", scratch" if self.node.operation.input_count == 1 else ""
            yield f"{self.kernel.name}(&node{number}, {', '.join([*read, written])}{scratch});"
        for name, call in zip(self.names, self.calls, strict=False):
            yield _called(call, f"node{number}{name}", *(read[at] for at in call.inputs), written)

    def _loop(self, number: str) -> Iterator[str]:
        node, rows = self.node, self.node.in_shape[0]
        inner, last = self.body[0].places, self.node.body[-1]
        yield f"ekw_clear({inner[STATE]}, {math.prod(last.out_shape)});"
        yield f"for (int32_t row = 0; row < {rows}; row++) {{"
        *reads, write, keep = zip(self.names, self.calls, strict=True)
        for at, ((name, call), source) in enumerate(zip(reads, node.inputs, strict=True)):
            yield "    " + _called(
                call, f"node{number}{name}", _at_row(self.places[source], node.in_shape[1]), inner[step(at)]
            )
        for place, each in enumerate(self.body):
            yield from (f"    {line}" for line in each.statements(f"{number}_body{place}"))
        state = _at_row(self.places[node.name], node.out_shape[1])
        yield "    " + _called(write[1], f"node{number}{write[0]}", inner[last.name], state)
        yield "    " + _called(keep[1], f"node{number}{keep[0]}", inner[last.name], inner[STATE])
        yield "}"


def layers(nodes: Iterable[Node], places: Places) -> list[Layer]:
    """Those of a graph. Raises TargetError for an op without a kernel."""
    return list(_layers(nodes, places, {INPUT: SIGNED}))


def _layers(nodes: Iterable[Node], places: Places, outside: Mapping[str, Range]) -> Iterator[Layer]:
    ranges = dict(outside)
    for node in nodes:
        read = [ranges[name] for name in node.inputs]
        ranges[node.name] = (node.requant.lo, node.requant.hi)
        signed = tuple(lo < 0 for lo, _ in read)
        if node.body:
            yield _scan(node, places, read)
        elif node.operation.is_basic:
            yield Layer(node, places, kernel(node, signed), signed)
        else:
            yield Layer(node, places, None, signed, tuple(_needed(node, extended.calls(node, read), places)))


def _scan(node: Node, places: Places, read: Sequence[Range]) -> Layer:
    last, own = node.body[-1], (node.requant.lo, node.requant.hi)
    _, width, channels = node.in_shape
    base, starts = places[body_name(node)], body_plan(node).starts
    inner = {name: f"{base} + {start}" for name, start in starts.items()}
    calls = [extended.row_read(node.in_shape, (1, width, channels), values) for values in read]
    calls.append(extended.row_written(last.out_shape, node.out_shape, own))
    calls.append(extended.row_written(last.out_shape, last.out_shape, own))
    outside = {**{step(number): values for number, values in enumerate(read)}, STATE: own}
    signed = tuple(lo < 0 for lo, _ in read)
    return Layer(node, places, None, signed, tuple(calls), tuple(_layers(node.body, inner, outside)))


def _needed(node: Node, calls: Iterable[Call], places: Places) -> Iterator[Call]:
    """All but copies of a tensor to where it is."""
    for call in calls:
        if not (call.is_moot_in_place and places[node.inputs[call.inputs[0]]] == places[node.name]):
            yield call


def _called(call: Call, structure: str, *tensors: str) -> str:
    return f"{call.kernel.name}(&{structure}, {', '.join(tensors)});"


def _at_row(place: str, width: int) -> str:
    return f"{place} + row * {width}" if width > 1 else f"{place} + row"


def _arrays(number: str, node: Node, ordered: tuple[str, np.ndarray] | None) -> str:
    text = ""
    requant = node.requant
    if not requant.is_identity:
        text += array("int32_t", f"node{number}_offset", requant.offset, requant.offset.shape)
        text += array(_MULTIPLIER[requant.rule], f"node{number}_mult", requant.mult, requant.mult.shape)
        text += array("uint8_t", f"node{number}_shift", requant.shift.astype(np.uint8), requant.shift.shape)
    if node.weight is not None:
        weight, note = filters(node), f", {node.weight_bits} bits"
        weights = array("int8_t", f"node{number}_weight", packed(weight, node.weight_bits), weight.shape, note)
        text += _of_cores(number, weights, weight.shape, *ordered) if ordered else weights
    return text


def _of_cores(number: str, weights: str, shape: tuple[int, ...], core: str, values: np.ndarray) -> str:
    """weights: for all cores but `core`."""
    other = array("int8_t", f"node{number}_weight", values, shape, f", in the order of {core}")
    return f"#if EKW_CORE == {core}\n{other}#else\n{weights}#endif\n"


def _structure(number: str, node: Node, signed: tuple[bool, ...]) -> str:
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
