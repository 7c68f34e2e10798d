"""Pieces of C: arrays, structures, literals and comments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

Value = int | str | tuple[int, ...] | Mapping[str, int]
"""Of a field; text is an expression of C, a mapping a structure."""
_LINE_CHARACTERS = 110


def array(ctype: str, name: str, values: np.ndarray, shape: tuple[int, ...], note: str = "") -> str:
    """shape: of the unpacked values, which differs from that of `values` when several weights share a byte."""
    meaning = "".join(f"[{size}]" for size in shape) + note
    return braced(f"static const {ctype} {name}[{values.size}] /* {meaning} */", values.reshape(-1).tolist())


def structure(ctype: str, name: str, fields: Mapping[str, Value]) -> str:
    """A constant with one line for each field."""
    lines = "".join(f"    .{key} = {_value(value)},\n" for key, value in fields.items())
    return f"static const {ctype} {name} = {{\n{lines}}};\n"


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f".{key} = {_value(each)}" for key, each in value.items()) + "}"
    return integers(value) if isinstance(value, tuple) else str(value)


def integers(values: Iterable[int]) -> str:
    return "{" + ", ".join(str(int(value)) for value in values) + "}"


def braced(declaration: str, values: Iterable[object]) -> str:
    lines = [""]
    for value in values:
        item = f"{value}, "
        if len(lines[-1]) + len(item) > _LINE_CHARACTERS:
            lines.append("")
        lines[-1] += item
    return f"{declaration} = {{\n" + "".join(f"    {line.rstrip()}\n" for line in lines) + "};\n"


def comment(text: str) -> str:
    return "".join(c if _is_plain(c) else "_" for c in text)


def string(text: str) -> str:
    """A literal; octal escapes end after three digits and keep trigraphs out."""
    return '"' + "".join(c if _is_plain(c) else "".join(f"\\{b:03o}" for b in c.encode()) for c in text) + '"'


def _is_plain(character: str) -> bool:
    return character.isascii() and (character.isalnum() or character in " _-.")
