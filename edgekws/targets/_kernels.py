"""Instructions of our own kernels by core: fitted by `benchmarks/instructions.py --fit` to layers counted in QEMU.

The 32 layers are those of the released 8-bit DS-CNN and DS-ResNet. The mean error of a layer is 5 to 9 %; linear
layers, which are a thousandth of the whole, take up to seven times what is estimated.
"""

from __future__ import annotations

from edgekws.targets._device import Costs

KERNEL_COSTS = {
    "cortex-m3": Costs(1.32, 52.9, 46.7, 13.8, 1.53, 4.24, 7.0),
    "armv6-m": Costs(3.04, 64.1, 71.8, 18.0, 2.0, 5.25, 7.68),
    "cortex-m4": Costs(0.638, 12.7, 15.3, 7.42, 0.825, 1.3, 7.0),
    "cortex-m55": Costs(0.0534, 10.2, 6.24, 0.818, 0.0909, 0.568, 6.5),
    "rv32imafc": Costs(2.23, 34.6, 56.7, 14.8, 1.65, 4.24, 7.18),
}
"""By the `cpu` of a board."""
