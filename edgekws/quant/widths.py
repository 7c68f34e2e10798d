"""Which layer has how many bits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from edgekws.errors import ConfigError
from edgekws.quant.float_layers import Layer


def layer_bits(layers: Sequence[Layer], default: int, patterns: Mapping[str, int]) -> dict[str, int]:
    """Bits of every layer with weights. Raises ConfigError for a pattern that fits no layer."""
    names = [layer.name for layer in layers if layer.operation.is_weighted]
    bits = dict.fromkeys(names, default)
    for pattern, width in patterns.items():
        fitting = [name for name in names if fnmatchcase(name, pattern)]
        if not fitting:
            raise ConfigError(f"quant.layers should name layers of {', '.join(names)}", got=pattern)
        bits.update(dict.fromkeys(fitting, width))
    return bits
