"""Operations in their order of execution -> float layers: the fusion, names and checks that the front ends share."""

from __future__ import annotations

from edgekws.quant.float_layers import Sides
from edgekws.quant.frontends.assemble.assembler import Assembler
from edgekws.quant.frontends.assemble.convert import batch_norm, float32
from edgekws.quant.frontends.assemble.value import NO_PAD, Value

__all__ = ["NO_PAD", "Assembler", "Sides", "Value", "batch_norm", "float32"]
