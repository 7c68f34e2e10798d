"""The bit width of each layer's weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from edgekws.errors import ConfigError
from edgekws.quant.float_layers import Layer


def layer_bits(layers: Sequence[Layer], default: int, patterns: Mapping[str, int]) -> dict[str, int]:
    """Bits of every layer with weights. patterns: shell patterns of names -> bits; the last match wins.

    Raises ConfigError for a pattern that matches no layer.
    """
    names = [layer.name for layer in layers if layer.operation.is_weighted]
    bits = dict.fromkeys(names, default)
    for pattern, width in patterns.items():
        matching = [name for name in names if fnmatchcase(name, pattern)]
        if not matching:
            raise ConfigError(f"quant.layers should name layers of {', '.join(names)}", got=pattern)
        bits.update(dict.fromkeys(matching, width))
    return bits
