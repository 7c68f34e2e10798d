"""The bit width of each layer's weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from edgekws.errors import ConfigError, unknown
from edgekws.quant.float_layers import Layer, with_bodies


def layer_bits(layers: Sequence[Layer], default: int, patterns: Mapping[str, int]) -> dict[str, int]:
    """Bits of every layer with weights. patterns: shell patterns of names -> bits; the last match wins.

    Raises ConfigError for a pattern that matches no layer.
    """
    names = [layer.name for layer in with_bodies(layers) if layer.operation.is_weighted]
    bits = dict.fromkeys(names, default)
    for pattern, width in patterns.items():
        matching = [name for name in names if fnmatchcase(name, pattern)]
        if not matching:
            expected = unknown("the layer", pattern, names)
            raise ConfigError(f"quant.layers (--layer): {expected}", hint="name one, or a pattern such as 'dw*'")
        bits.update(dict.fromkeys(matching, width))
    return bits
