"""Operations of a user's network, one method each, to a list of layers."""

from __future__ import annotations

from edgekws.errors import TargetError
from edgekws.quant.float_layers import Layer
from edgekws.quant.frontends.assemble.recurrent import Recurrent
from edgekws.quant.frontends.assemble.value import Value


class Assembler(Recurrent):
    """Fuses normalizations and activations into the layers before them, and moves values only where it has to."""

    def finished(self, output: Value | None, got: str) -> list[Layer]:
        """The layers. Raises TargetError unless the network returns what the last one gives."""
        if output is not None and self.layers and not output.has_zeros:
            scores = self.placed(output, output.index.reshape(-1, 1, 1), "the output")
            if scores == self.layers[-1].name:
                return self.layers
        raise TargetError("the network should return the tensor of its last layer", got=got)
