"""Packages of the extra edgekws[select], loaded when they are needed."""

from __future__ import annotations

import importlib
from typing import Any

from edgekws.errors import ConfigError


def load(name: str) -> Any:  # noqa: ANN401  these packages have no types
    """The module of that name. Raises ConfigError, with what to install, when its package is missing."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        package = (error.name or name).partition(".")[0]
        raise ConfigError(
            f"the data track needs the package {package}",
            got="it is not installed",
            hint="pip install 'edgekws[select]'",
        ) from error
