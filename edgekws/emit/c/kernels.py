"""What firmware_io/firmware/kernels/kernels.h needs of a node: name and case of its kernel, weights as bytes."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np

from edgekws.emit.c.extended import Body
from edgekws.graph.ir import SIGNED, UNSIGNED, Node, Rule, accumulator_bounds
from edgekws.graph.ops import OPS

_BITS = (8, 4, 2)
_RULES: dict[Rule | None, str] = {None: "clip", "offset-scale-shift": "shift", "fixed-point": "fixed"}
_NAMES: dict[Rule | None, str] = {**_RULES, "fixed-point-once": "once"}
GENERAL = "general"
_PLAIN_LIMIT = 1 << 30
"""The fast code of the fixed-point rule doubles accumulators."""


@dataclass(frozen=True, order=True)
class Kernel:
    """An op for one case: the sign of each input, the bits of a weight, the rule of the requantization (clip, shift
    or fixed); or for every case of general nodes, which have the rule GENERAL and no such field.

    form: "_row" for the kernel that computes one row of a stream, in kernels/stream.
    """

    op: str
    signed: tuple[bool, ...]
    bits: int = 8
    rule: str = "clip"
    form: str = ""

    @property
    def is_general(self) -> bool:
        """Whether it takes an ekw_general rather than an ekw_node."""
        return self.rule == GENERAL

    @property
    def name(self) -> str:
        """ekw_conv2d_u8_w4_shift, ekw_scale_s8_fixed, ekw_add_u8_s8, ekw_max_pool_u8, ekw_linear_general."""
        if self.is_general:
            return f"{self.body}_{GENERAL}"
        parts = [self.body, *("s8" if signed else "u8" for signed in self.signed)]
        parts += [f"w{self.bits}"] if OPS[self.op].is_weighted else []
        return "_".join(parts + ([self.rule] if OPS[self.op].is_scaled else []))

    @property
    def body(self) -> str:
        """The function of C that it is compiled from."""
        return f"ekw_{self.op}{self.form}"

    @property
    def header(self) -> str:
        """kernels/<header>.h has the body."""
        return f"stream/{self.op}{self.form}" if self.form else self.op

    @property
    def definition(self) -> str:
        """The line of C that makes it."""
        if self.is_general:
            return f"EKW_KERNEL_GENERAL({self.name}, {self.body})\n"
        case = [f".is_signed = {_flag(self.signed[0])}"]
        case += [f".is_second_signed = {_flag(signed)}" for signed in self.signed[1:]]
        case += [f".weight_bits = {self.bits}", f".rule = EKW_{self.rule.upper()}"]
        macro = "EKW_KERNEL" if len(self.signed) == 1 else "EKW_KERNEL_OF_TWO"
        return f"{macro}({self.name}, {self.body}, {', '.join(case)})\n"


def kernel(node: Node, signed: tuple[bool, ...]) -> Kernel:
    """signed: whether each input of `node` is -128..127 rather than 0..255."""
    if is_general(node, signed):
        return Kernel(node.op, (), rule=GENERAL)
    rule = _RULES[None if node.requant.is_identity else node.requant.rule]
    return Kernel(node.op, signed, node.weight_bits if node.operation.is_weighted else 8, rule)


def is_general(node: Node, signed: tuple[bool, ...]) -> bool:
    """Whether `node` has what only models of other tools have, and so is an ekw_general (kernels.h)."""
    has_windows = node.pad_value != 0 or node.dilation != (1, 1) or (node.operation.is_window_pool and any(node.pad))
    return has_windows or (node.operation.is_scaled and not is_plain(node, signed))


def is_plain(node: Node, signed: tuple[bool, ...]) -> bool:
    """Whether the code that all our own models share does the requantization and takes the weights.

    It has full ranges of a byte, shifts to the right and no zero point; with the fixed-point rule accumulators are
    within +-2^30.
    """
    return node.requant.zero == 0 and is_near(node, signed)


def is_near(node: Node, signed: tuple[bool, ...]) -> bool:
    """The same with a zero point, where outputs are -128..127."""
    requant = node.requant
    if (requant.lo, requant.hi) not in (SIGNED, UNSIGNED) or requant.rule not in _RULES:
        return False
    if requant.zero and node.is_unsigned:
        return False
    if requant.is_identity or requant.rule != "fixed-point":
        return True
    least = 0 if node.weight is None else int(node.weight.min())
    low, high = accumulator_bounds(node, *(SIGNED if signed[0] else UNSIGNED))
    is_small = bool((np.maximum(-low, high) < _PLAIN_LIMIT).all())
    return is_small and least > -(1 << (node.weight_bits - 1)) and int(requant.shift.min()) >= 0


def general_fields(node: Node, signed: tuple[bool, ...]) -> dict[str, int | str | tuple[int, int]]:
    """The fields of an ekw_general after those of the node, in order."""
    rule = _NAMES[None if node.requant.is_identity else node.requant.rule]
    return {
        "zero": node.requant.zero,
        "pad_value": node.pad_value,
        "dilation": node.dilation,
        "rule": f"EKW_{rule.upper()}",
        "is_plain": int(rule == "fixed" and is_plain(node, signed)),
        "is_near": int(rule == "fixed" and is_near(node, signed)),
        "is_signed": int(signed[0]),
        "weight_bits": node.weight_bits if node.operation.is_weighted else 8,
    }


def every_kernel() -> Iterator[Kernel]:
    """All that `kernel` can return."""
    for op in filter(lambda row: row.is_basic, OPS.values()):
        if op.is_scaled or op.is_windowed:
            yield Kernel(op.name, (), rule=GENERAL)
        inputs = product((True, False), repeat=op.input_count)
        rules = tuple(_RULES.values()) if op.is_scaled else ("clip",)
        for signed, bits, rule in product(inputs, _BITS if op.is_weighted else (8,), rules):
            yield Kernel(op.name, signed, bits, rule)


def filters(node: Node) -> np.ndarray:
    """The weights as the kernels read them, channels first: int8 [c_out, c_in, k_h, k_w], [c, k_h, k_w] (depthwise) or
    [c_out, c_in, h, w] (linear).
    """
    weight = np.asarray(node.weight)
    if node.operation.is_dense:
        weight = weight.reshape(len(weight), *node.in_shape)
    return weight if node.operation.is_depthwise else weight.transpose(0, 3, 1, 2)


def definitions(kernels: set[Kernel], bodies: Collection[Body] = ()) -> str:
    """The headers and definitions of `kernels` and `bodies` in C."""
    names = {kernel.header for kernel in kernels} | {body.header for body in bodies}
    headers = "".join(f'#include "kernels/{name}.h"\n' for name in sorted(names))
    lines = [kernel.definition for kernel in sorted(kernels)] + [body.definition for body in sorted(bodies)]
    return headers + "\n" + "".join(lines)


def packed(weight: np.ndarray, bits: int) -> np.ndarray:
    """Weights int8 [filters, ...] -> bytes int8 [filters, bytes of a filter], the first ones in the low bits.

    Every filter begins at a byte; zeros fill its last one.
    """
    per_byte = 8 // bits
    rows = weight.reshape(len(weight), -1).astype(np.uint8) & np.uint8((1 << bits) - 1)
    filled = np.pad(rows, ((0, 0), (0, -rows.shape[1] % per_byte)))
    places = np.arange(per_byte, dtype=np.uint8) * np.uint8(bits)
    fields = filled.reshape(len(rows), -1, per_byte) << places
    return np.asarray(np.bitwise_or.reduce(fields, axis=2)).view(np.int8)


def _flag(value: bool) -> str:
    return "true" if value else "false"
