"""The cost of a graph without running it: MACs, bytes, and with a device's parameters cycles, time and energy.

`layers` and `peak_activation_bytes` follow from the graph's shapes. `estimate` adds a device: its figures of
time and energy are estimated, with the spread of published values.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from edgekws import targets
from edgekws.graph.attributes import Shape
from edgekws.graph.ir import INPUT, Graph, Node
from edgekws.targets import Device, Figure, Target
from edgekws.types import Interval, Measurement


@dataclass(frozen=True)
class LayerCost:
    """One row of the per-layer table. macs_share: 0..1 of the whole graph."""

    name: str
    op: str
    out_shape: Shape
    weight_bits: int
    macs: int
    macs_share: float
    parameter_bytes: int
    activation_bytes: int


@dataclass(frozen=True)
class LayerEstimate:
    """Where a layer runs and for how long. unit: the target's accelerator or "CPU"; reason: why the CPU, else "".

    cycles: CPU clock cycles, between lowest and highest.
    """

    cost: LayerCost
    unit: str
    reason: str
    cycles: float
    lowest: float
    highest: float


@dataclass(frozen=True)
class Memory:
    """Bytes of one memory. limit: None where unknown."""

    name: str
    used: int
    limit: int | None
    what: str

    @property
    def fits(self) -> bool:
        return self.limit is None or self.used <= self.limit


@dataclass(frozen=True)
class Estimate:
    """The estimated cost of a graph on a device. layers in the order of the graph; memories: flash and RAM."""

    target: str
    device: Device
    layers: tuple[LayerEstimate, ...]
    memories: tuple[Memory, ...]

    @property
    def cycles(self) -> float:
        return sum(layer.cycles for layer in self.layers)

    @property
    def on_cpu(self) -> tuple[LayerEstimate, ...]:
        """Layers that the target refused."""
        return tuple(layer for layer in self.layers if layer.reason)

    @property
    def fits(self) -> bool:
        return all(memory.fits for memory in self.memories)

    def measurements(self) -> tuple[Measurement, ...]:
        """Cycles, latency and energy of one inference, as far as the device's parameters are known; all estimated."""
        lowest, highest = (sum(getattr(layer, end) for layer in self.layers) for end in ("lowest", "highest"))
        figures = [("cycles", self.cycles, "cycles", Interval(lowest, highest))]
        clock, watts = self.device.clock_hz, self.device.watts
        if clock:
            spread = Interval(lowest / clock.highest, highest / clock.lowest)
            figures.append(("latency", self.cycles / clock.value, "s", spread))
        if clock and watts:
            energy = Interval(spread.low * watts.lowest, spread.high * watts.highest)
            figures.append(("energy", self.cycles / clock.value * watts.value, "J", energy))
        return tuple(
            Measurement(name, value, unit, "estimated", interval=interval, board=self.device.name)
            for name, value, unit, interval in figures
        )


def activation_bytes(shape: Shape) -> int:
    """Every activation is one byte."""
    return math.prod(shape)


def layers(graph: Graph) -> tuple[LayerCost, ...]:
    """MACs and bytes of each node, in order."""
    total = graph.macs
    return tuple(_layer(node, total) for node in graph.nodes)


def peak_activation_bytes(graph: Graph) -> int:
    """The most bytes of tensors alive at once: a layer's inputs, its output and tensors that later layers read.

    A lower bound where no layer works in place; a chain reaches it, with input and output at opposite ends. The C of
    edgekws has layers that do, and needs less: `edgekws.emit.c.memory`.
    """
    last_uses = graph.last_uses()
    sizes, peak = {INPUT: activation_bytes(graph.in_shape)}, 0
    for number, node in enumerate(graph.nodes):
        sizes[node.name] = activation_bytes(node.out_shape)
        peak = max(peak, sum(sizes.values()))
        sizes = {name: size for name, size in sizes.items() if last_uses.get(name, -1) > number}
    return peak


def estimate(graph: Graph, target: Target, device: Device) -> Estimate:
    """Estimate the cost of `graph` on `device`, which is one of `target.DEVICES`."""
    refused = targets.refused_layers(graph, target)
    rows = zip(graph.nodes, layers(graph), strict=True)
    return Estimate(
        target.NAME,
        device,
        tuple(_on_device(node, cost, target, device, refused.get(node.name, "")) for node, cost in rows),
        _memories(graph, device),
    )


def _on_device(node: Node, cost: LayerCost, target: Target, device: Device, reason: str) -> LayerEstimate:
    if device.npu is None or reason:
        cycles, bounds, unit = targets.cpu_cycles(node, device.cpu), targets.cpu_bounds(node, device.cpu), "CPU"
    else:
        cycles, bounds = target.cycles(node, device), targets.npu_bounds(node, device.npu)
        unit = target.ACCELERATOR
    return LayerEstimate(cost, unit, reason, cycles, *bounds)


def _memories(graph: Graph, device: Device) -> tuple[Memory, ...]:
    code, stack = int(device.code_bytes.value), int(device.stack_bytes.value)
    parameters, activations = graph.parameter_bytes, peak_activation_bytes(graph)
    return (
        Memory("flash", parameters + code, _limit(device.flash_bytes), f"parameters {parameters}, code {code}"),
        Memory("RAM", activations + stack, _limit(device.ram_bytes), f"activations {activations}, stack {stack}"),
    )


def _limit(figure: Figure | None) -> int | None:
    return None if figure is None else int(figure.value)


def _layer(node: Node, total_macs: int) -> LayerCost:
    return LayerCost(
        name=node.name,
        op=node.op,
        out_shape=node.out_shape,
        weight_bits=node.weight_bits,
        macs=node.macs,
        macs_share=node.macs / total_macs if total_macs else 0.0,
        parameter_bytes=node.parameter_bytes,
        activation_bytes=activation_bytes(node.out_shape),
    )
