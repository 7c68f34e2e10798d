"""Cycles of a node by the parameters of a device: one line of arithmetic for each kind of unit."""

from __future__ import annotations

import math

from edgekws.graph.ir import Node
from edgekws.targets._device import Costs, Cpu, Npu

KERNEL_COSTS = {
    "cortex-m3": Costs(1.27, 58.3, 46.7, 9.94, 51.0, 4.48, 7.01),
    "armv6-m": Costs(2.99, 71.1, 71.8, 13.3, 61.5, 5.51, 7.69),
    "cortex-m4": Costs(0.62, 15.2, 15.3, 2.27, 60.7, 1.45, 7.01),
    "cortex-m55": Costs(0.0316, 12.0, 6.24, 0.0, 9.17, 0.626, 6.51),
    "rv32imafc": Costs(2.19, 39.9, 56.7, 7.2, 82.1, 4.48, 7.19),
}
"""Instructions of our own kernels, by the `cpu` of a board.

`benchmarks/instructions.py --fit` fits them to layers counted in QEMU: the 48 layers of the released 8-bit networks.
The mean error of a layer is 6 to 16 %, by core; linear layers, which are a thousandth of the whole, take up to seven
times what is estimated.
"""


def npu_cycles(node: Node, npu: Npu) -> float:
    """Fixed cycles of the layer, and its multiplications at the typical share of the peak, the same at all widths."""
    return npu.layer_cycles.value + _operations(node) / (npu.peak.value * npu.utilisation.value)


def npu_bounds(node: Node, npu: Npu) -> tuple[float, float]:
    """(at the lowest published overhead and highest utilisation, at the other end)."""
    work = _operations(node) / npu.peak.value
    fastest = npu.layer_cycles.lowest + work / npu.utilisation.highest
    return fastest, npu.layer_cycles.highest + work / npu.utilisation.lowest


def cpu_cycles(node: Node, cpu: Cpu) -> float:
    return _on_cpu(node, cpu.mac.value, cpu.depthwise_mac.value, cpu.value.value)


def cpu_bounds(node: Node, cpu: Cpu) -> tuple[float, float]:
    fastest = _on_cpu(node, cpu.mac.lowest, cpu.depthwise_mac.lowest, cpu.value.lowest)
    return fastest, _on_cpu(node, cpu.mac.highest, cpu.depthwise_mac.highest, cpu.value.highest)


def instructions(node: Node, costs: Costs) -> float:
    """Of our own kernels. Weights of 8, 4 and 2 bits cost the same, but for the few instructions that unpack them."""
    outputs = math.prod(node.out_shape)
    if node.body:
        return node.in_shape[0] * sum(instructions(each, costs) for each in node.body)
    if not node.operation.is_weighted:
        return (costs.pooled_value if node.operation.is_global_pool else costs.value) * _operations(node)
    if not node.operation.is_depthwise:
        return node.macs * costs.mac + outputs * costs.output
    if node.kernel == (3, 3):
        return outputs * costs.depthwise_3x3_output
    return node.macs * costs.depthwise_mac + outputs * costs.depthwise_output


def _on_cpu(node: Node, mac: float, depthwise_mac: float, value: float) -> float:
    if node.body:
        return node.in_shape[0] * sum(_on_cpu(each, mac, depthwise_mac, value) for each in node.body)
    if not node.operation.is_weighted:
        return value * _operations(node)
    return node.macs * (depthwise_mac if node.operation.is_depthwise else mac)


def _operations(node: Node) -> int:
    """Multiplications; without weights, or with a table, the elements that are read."""
    return node.macs if node.operation.is_weighted else node.operation.reads(node)
