"""Fields of JSON from foreign files: a reader accepts only the types that edgekws itself writes."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from edgekws.errors import ArtifactError

_INT32 = range(-(2**31), 2**31)


class Kind(NamedTuple):
    """What a field has to be, in words and as a test."""

    description: str
    fits: Callable[[Any], bool]


def is_text(value: object) -> bool:
    """Whether `value` is a str that can be encoded: half a surrogate pair can be neither printed nor written."""
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def as_text(name: str) -> str:
    """A file's name; bytes that are not UTF-8 are shown as escapes."""
    return name if is_text(name) else ascii(name)[1:-1]


def _is_integer(value: object) -> bool:
    return type(value) is int and value in _INT32


def _is_real(value: object) -> bool:
    return _is_integer(value) or (type(value) is float and math.isfinite(value))


TEXT = Kind("text", is_text)
TRUTH = Kind("true or false", lambda value: isinstance(value, bool))
INTEGER = Kind("a 32-bit integer", _is_integer)
COUNT = Kind("an integer above 0", lambda value: _is_integer(value) and value > 0)
REAL = Kind("a finite number", _is_real)
ABOVE_ZERO = Kind("a finite number above 0", lambda value: _is_real(value) and value > 0)
OBJECT = Kind("an object", lambda value: isinstance(value, dict))
TEXT_BY_NAME = Kind(
    "an object of texts", lambda value: isinstance(value, dict) and all(map(is_text, [*value, *value.values()]))
)


def list_of(kind: Kind, count: int | None = None) -> Kind:
    """A list of `count` values of `kind`; of any number when `count` is None."""

    def fits(value: object) -> bool:
        return isinstance(value, list) and count in (None, len(value)) and all(map(kind.fits, value))

    return Kind(f"a list of {'any number' if count is None else count}, each {kind.description}", fits)


def require(what: str, value: object, kinds: Mapping[str, Kind]) -> None:
    """Raises ArtifactError unless `value` is an object of exactly these fields."""
    if not isinstance(value, dict):
        raise ArtifactError(f"{what} should be an object", got=reprlib.repr(value))
    if value.keys() != kinds.keys():
        missing, unknown = sorted(kinds.keys() - value.keys()), sorted(map(ascii, value.keys() - kinds.keys()))
        got = f"{reprlib.repr(missing)} missing, {reprlib.repr(unknown)} unknown"
        raise ArtifactError(f"{what} should have the fields of this version", got=got)
    for key, kind in kinds.items():
        if not kind.fits(value[key]):
            raise ArtifactError(
                f"{what}: {key} should be {kind.description}", got=ascii(reprlib.repr(value[key]))[1:-1]
            )
