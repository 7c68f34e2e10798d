"""How many cycles CPU cores take, for layers that no accelerator takes."""

from __future__ import annotations

from edgekws.targets._device import Cpu, Figure

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
