"""Packages of the extra edgekws[select], loaded when they are needed."""

from __future__ import annotations

import importlib
from typing import Any

from edgekws.errors import missing_package


def load(name: str) -> Any:  # noqa: ANN401  these packages have no types
    """The module of that name. Raises MissingPackageError, with what to install, when its package is missing."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise missing_package(error) or error from error
