"""Every network of the plugin table, small where it can be."""

from __future__ import annotations

import inspect
from types import ModuleType
from typing import Any

import pytest
from torch import nn

from edgekws import plugins

NETWORKS = [plugins.load("networks", name) for name in plugins.names("networks")]
all_networks = pytest.mark.parametrize("net", NETWORKS, ids=plugins.names("networks"))


def built_small(net: ModuleType, labels: int = 12, **options: Any) -> nn.Module:
    """A network of `net` for `labels` classes, with those of the options that its builder accepts."""
    known = inspect.signature(net.build).parameters
    chosen = {"channels": 16, "blocks": 2} | options
    return net.build(labels, **{name: value for name, value in chosen.items() if name in known})
