"""Structures of C from fields that have only pointers, int32_t and structures of these."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping

import numpy as np


def structure(fields: Mapping[str, object]) -> ctypes.Structure:
    """fields, in order: int, tuple of int, None (a null pointer), array (a pointer to it) or fields of a structure.

    Arrays must be contiguous and outlive the structure.
    """
    parts = [(name, *_part(value)) for name, value in fields.items()]
    kind = type("_Fields", (ctypes.Structure,), {"_fields_": [(name, ctype) for name, ctype, _ in parts]})
    result: ctypes.Structure = kind(*(value for _, _, value in parts))
    return result


def _part(value: object) -> tuple[type, object]:
    if isinstance(value, Mapping):
        inner = structure(value)
        return type(inner), inner
    if isinstance(value, tuple):
        kind = ctypes.c_int32 * len(value)
        return kind, kind(*map(int, value))
    if isinstance(value, int):
        return ctypes.c_int32, value
    return ctypes.c_void_p, value.ctypes.data if isinstance(value, np.ndarray) else None
