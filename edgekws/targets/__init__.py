"""Rule sets of NPUs and CPUs. Each module says how a layer is quantized, which nodes are legal and what they cost.

`load("tinpu:f28p55x")` gives the rules and a device, `problems(graph, target)` the reasons why a graph cannot run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from edgekws import plugins
from edgekws.errors import ArtifactError, ConfigError, TargetError, unknown
from edgekws.targets._device import Costs, Cpu, Device, Figure, Npu
from edgekws.targets._estimate import KERNEL_COSTS, cpu_bounds, cpu_cycles, instructions, npu_bounds
from edgekws.targets._target import Target

if TYPE_CHECKING:
    from edgekws.graph.ir import Graph

__all__ = [
    "KERNEL_COSTS", "Costs", "Cpu", "Device", "Figure", "Npu", "Target", "cpu_bounds", "cpu_cycles",
    "instructions", "load", "npu_bounds", "problems", "refused_layers",
]  # fmt: skip


def load(name: str) -> tuple[Target, Device]:
    """ "tinpu", or "tinpu:f28p55x" -> the rules and the device; the target's first device when none is named.

    Raises ConfigError that lists the targets or the devices.
    """
    kind, _, device_name = name.partition(":")
    target = cast(Target, plugins.load("targets", kind))
    device = target.DEVICES.get(device_name.lower()) if device_name else next(iter(target.DEVICES.values()))
    if device is None:
        raise ConfigError(unknown("the target", name, [f"{kind}:{known}" for known in target.DEVICES]))
    return target, device


def refused_layers(graph: Graph, target: Target) -> dict[str, str]:
    """Node name -> reason, for each node that the target refuses; its compiler runs them on the CPU."""
    reasons = ((node.name, target.legal(node, graph)) for node in graph.nodes)
    return {name: reason for name, reason in reasons if reason}


def problems(graph: Graph, target: Target) -> tuple[str, ...]:
    """Why `graph` cannot run on `target` alone, "layer: rule: ..." each; empty when it can.

    Besides the rules of single layers also what `Graph.check` proves: shapes, scales, and accumulators that
    cannot overflow.
    """
    reasons = [f"{name}: {reason}" for name, reason in refused_layers(graph, target).items()]
    try:
        graph.check()
    except (ArtifactError, TargetError) as error:
        reasons.append(f"graph: {error}")
    return tuple(reasons)
