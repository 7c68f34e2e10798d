"""Rule sets of NPUs and CPUs. Each module says how a layer is quantized, which nodes are legal and what they cost.

`load("tinpu:f28p55x")` gives the rules and a device, `problems(graph, target)` what stands in a graph's way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from edgekws import plugins
from edgekws.errors import ArtifactError, ConfigError, TargetError
from edgekws.targets._device import Costs, Cpu, Device, Figure, Npu
from edgekws.targets._estimate import KERNEL_COSTS, cpu_bounds, cpu_cycles, instructions, npu_bounds
from edgekws.targets._target import Target

if TYPE_CHECKING:
    from edgekws.graph.ir import Graph

__all__ = [
    "KERNEL_COSTS", "Costs", "Cpu", "Device", "Figure", "Npu", "Target", "cpu_bounds", "cpu_cycles",
    "instructions", "load", "misplaced", "npu_bounds", "problems",
]  # fmt: skip


def load(name: str) -> tuple[Target, Device]:
    """ "tinpu", or "tinpu:f28p55x" -> the rules and the device; the target's first device when none is named.

    Raises ConfigError that lists the targets, or the devices, there are.
    """
    kind, _, wanted = name.partition(":")
    target = cast(Target, plugins.load("targets", kind))
    device = target.DEVICES.get(wanted.lower()) if wanted else next(iter(target.DEVICES.values()))
    if device is None:
        raise ConfigError(f"devices of {kind} are {', '.join(target.DEVICES)}", got=wanted)
    return target, device


def misplaced(graph: Graph, target: Target) -> dict[str, str]:
    """name -> reason, of each node that the target does not take; its compiler runs them on the CPU."""
    reasons = ((node.name, target.legal(node, graph)) for node in graph.nodes)
    return {name: reason for name, reason in reasons if reason}


def problems(graph: Graph, target: Target) -> tuple[str, ...]:
    """What keeps `graph` from running on `target` alone, empty when nothing does: "layer: rule: ..." each.

    Besides the rules of single layers also what `Graph.check` proves: shapes, scales, and accumulators that
    cannot overflow.
    """
    found = [f"{name}: {reason}" for name, reason in misplaced(graph, target).items()]
    try:
        graph.check()
    except (ArtifactError, TargetError) as error:
        found.append(f"graph: {error}")
    return tuple(found)
