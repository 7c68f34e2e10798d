"""TI's microcontrollers with the NPU. Datasheets where they and the toolchain's guides disagree on a memory.

The speed of the NPU is the weakest number here. Its peak is published for one device. TI's published cycle
counts of whole networks come to 0.5 to 3.8 multiplications per cycle, which this model meets within a factor
of 2.5 (`tests/test_cost.py` has the 13 counts); nothing is published on the widths of weights, so all cost alike.
"""

from __future__ import annotations

from dataclasses import replace

from edgekws.targets._device import C28X, CORTEX_M0PLUS, CORTEX_M4, Device, Figure, Npu

_NPU = Npu(
    peak=Figure(16.0, "TI MSPM0G5187 datasheet: 2.56 GOPS at 80 MHz"),
    utilisation=Figure(
        0.1,
        "1.6 multiplications per cycle; TI's 4k, 13k and 6k networks on F28P55x gain 0.9, 1.5 and 3.8 over frame "
        "sizes; lowest LeNet-5 on MSPM0G5187 (TI SDAA429), highest the peak",
        0.032,
        1.0,
    ),
    layer_cycles=Figure(8_000.0, "intercept of TI's cycles of its 4k and 13k networks on F28P55x, by layer", 0.0, 12e3),
)
_NPU_ASSUMED = replace(_NPU, peak=Figure(16.0, "assumed: as on MSPM0G5187, at the clock of the CPU"))

MSPM0G5187 = Device(
    "mspm0g5187",
    "TI MSPM0G5187, Cortex-M0+",
    cpu=CORTEX_M0PLUS,
    npu=_NPU,
    clock_hz=Figure(80e6, "TI datasheet"),
    flash_bytes=Figure(128 * 1024, "TI datasheet (the guides' 256 KB is wrong)"),
    ram_bytes=Figure(32 * 1024, "TI datasheet (the guides' 64 KB is wrong)"),
    watts=Figure(
        0.0707,
        "TI SDAA429: 412.9 uJ in 5.84 ms, whole device; lowest 103 uA/MHz (datasheet) at 3.3 V, the NPU idle",
        0.0272,
        0.0707,
    ),
)

F28P55X = Device(
    "f28p55x",
    "TI TMS320F28P55x, C28x DSP",
    cpu=C28X,
    npu=_NPU_ASSUMED,
    clock_hz=Figure(150e6, "TI datasheet"),
    flash_bytes=Figure(1_088 * 1024, "TI datasheet, the largest part (SG parts 512 KB)"),
    ram_bytes=Figure(133 * 1024, "TI datasheet, the largest part (SG parts 101 KB)"),
    notes=("2-bit weights are named by some of TI's documents for this device, 8 and 4 bits by all",),
)

AM13E2 = Device(
    "am13e2",
    "TI AM13E23019, Cortex-M33",
    cpu=CORTEX_M4,
    npu=_NPU_ASSUMED,
    clock_hz=Figure(200e6, "TI product page: 200 to 250 MHz (a guide says 160)", 160e6, 250e6),
    flash_bytes=Figure(512 * 1024, "TI product page"),
    notes=("RAM: no figure was found; it is not checked", "CPU cycles: those of a Cortex-M4, without its CDE unit"),
)

DEVICES = {device.name: device for device in (MSPM0G5187, F28P55X, AM13E2)}
