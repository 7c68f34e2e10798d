"""Instructions of our own kernels by core: fitted by `benchmarks/instructions.py --fit` to layers counted in QEMU.

The 48 layers are those of the released 8-bit networks. The mean error of a layer is 6 to 16 %, by core; linear layers,
which are a thousandth of the whole, take up to seven times what is estimated.
"""

from __future__ import annotations

from edgekws.targets._device import Costs

KERNEL_COSTS = {
    "cortex-m3": Costs(1.27, 58.3, 46.7, 9.94, 51.0, 4.48, 7.01),
    "armv6-m": Costs(2.99, 71.1, 71.8, 13.3, 61.5, 5.51, 7.69),
    "cortex-m4": Costs(0.62, 15.2, 15.3, 2.27, 60.7, 1.45, 7.01),
    "cortex-m55": Costs(0.0316, 12.0, 6.24, 0.0, 9.17, 0.626, 6.51),
    "rv32imafc": Costs(2.19, 39.9, 56.7, 7.2, 82.1, 4.48, 7.19),
}
"""By the `cpu` of a board."""
