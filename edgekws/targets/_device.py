"""Devices as data: memories, clocks and estimated speed. Every number names its source."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Figure:
    """One number and its source; `source` begins with "assumed" where nothing was published.

    low, high: the spread of what was published; both are `value` where there is none.
    """

    value: float
    source: str
    low: float | None = None
    high: float | None = None

    @property
    def lowest(self) -> float:
        return self.value if self.low is None else self.low

    @property
    def highest(self) -> float:
        return self.value if self.high is None else self.high


@dataclass(frozen=True)
class Npu:
    """peak: multiplications per cycle; utilisation: the share of it that networks reach; layer_cycles: per layer."""

    peak: Figure
    utilisation: Figure
    layer_cycles: Figure


@dataclass(frozen=True)
class Cpu:
    """mac, depthwise_mac: cycles of a multiplication; value: cycles of an element that is pooled, added or scaled."""

    mac: Figure
    depthwise_mac: Figure
    value: Figure


_COUNTED = "CMSIS-NN on a DS-CNN, instructions counted in QEMU times 1.2 cycles; within a quarter of published times"

CORTEX_M4 = Cpu(
    mac=Figure(2.5, f"pointwise 2.1 instructions: {_COUNTED}; best published network 1.7 (X-CUBE-AI)", 1.5, 4.5),
    depthwise_mac=Figure(9.4, f"depthwise 7.8 instructions: {_COUNTED}", 2.2, 12.0),
    value=Figure(7.6, f"pooling 6.3 instructions: {_COUNTED}", 4.0, 12.0),
)

CORTEX_M0PLUS = Cpu(
    mac=Figure(8.2, "Cortex-M4 times 3.3: 30.4 Mcycles of a DS-CNN on NUCLEO-G0B1 (MLPerf Tiny 1.2, Bosch)", 4.5, 12.0),
    depthwise_mac=Figure(31.0, "Cortex-M4 times 3.3, as above", 8.0, 40.0),
    value=Figure(25.0, "Cortex-M4 times 3.3, as above", 12.0, 40.0),
)

C28X = Cpu(
    mac=Figure(4.0, "assumed: one multiplication, two loads; TI publishes no cycles of a C28x by layer", 2.0, 12.0),
    depthwise_mac=Figure(9.4, "assumed: as a Cortex-M4", 4.0, 31.0),
    value=Figure(7.6, "assumed: as a Cortex-M4", 4.0, 25.0),
)
"""This core and the two above run the layers that no accelerator takes."""


@dataclass(frozen=True)
class Costs:
    """Instructions of our own kernels on a core.

    mac, output: of a multiplication and of an output value, in layers with weights that are not depthwise.
    depthwise_3x3_output: of an output value of a depthwise layer with 3x3 kernels, which has a loop of its own.
    depthwise_mac, depthwise_output: in other depthwise layers. pooled_value: of a value that a mean over all
    positions reads. value: of a value that any other layer without weights reads.
    """

    mac: float
    output: float
    depthwise_3x3_output: float
    depthwise_mac: float
    depthwise_output: float
    pooled_value: float
    value: float


@dataclass(frozen=True)
class Device:
    """One microcontroller. A memory, power or clock of None is unknown or unlimited.

    watts: the whole device while it computes. code, stack: bytes of flash and RAM that a firmware needs
    besides parameters and activations.
    """

    name: str
    title: str
    cpu: Cpu
    npu: Npu | None = None
    clock_hz: Figure | None = None
    flash_bytes: Figure | None = None
    ram_bytes: Figure | None = None
    watts: Figure | None = None
    code_bytes: Figure = field(default=Figure(8_704, "TI SDAA429: 21.5 KB of flash for a network of 13,000 parameters"))
    stack_bytes: Figure = field(default=Figure(2_048, "assumed: the stack of edgekws' own firmware"))
    notes: tuple[str, ...] = ()
