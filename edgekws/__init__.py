"""edgekws: from a folder of recordings to a measured board, bit for bit. edgekws/api.py has the calls."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from edgekws._version import __version__ as __version__

if TYPE_CHECKING:
    from edgekws.api import FeatureSpec as FeatureSpec
    from edgekws.api import Graph as Graph
    from edgekws.api import QuantNet as QuantNet
    from edgekws.api import export as export
    from edgekws.api import load as load
    from edgekws.api import lower as lower
    from edgekws.api import predict as predict
    from edgekws.api import prepare as prepare

_API = ("FeatureSpec", "Graph", "QuantNet", "export", "load", "lower", "predict", "prepare")


def __getattr__(name: str) -> object:
    """The names of edgekws.api, imported when one of them is first used."""
    if name in _API:
        return getattr(importlib.import_module("edgekws.api"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_API})
