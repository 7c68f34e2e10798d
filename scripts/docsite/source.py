"""What the source says about its own values: fields of a class with their defaults, limits and docstrings."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Key:
    """One field. kind, default and limits stand as the source has them; text is the docstring below the field."""

    name: str
    kind: str
    default: str
    limits: str
    text: str


_SIGNS = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<", "min_length": "length >=", "max_length": "length <="}


def keys(model: type) -> list[Key]:
    """The fields of a class, in the order of its source."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(model)))
    body = next(node for node in tree.body if isinstance(node, ast.ClassDef)).body
    return list(_keys(body))


def _keys(body: list[ast.stmt]) -> Iterator[Key]:
    for number, node in enumerate(body):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and not node.target.id.startswith("_"):
            default, limits = _default(node.value)
            yield Key(node.target.id, ast.unparse(node.annotation), default, limits, _docstring(body[number + 1 :]))


def _docstring(rest: list[ast.stmt]) -> str:
    """The string that follows a field; "" when something else does."""
    first = rest[0] if rest else None
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        return " ".join(first.value.value.split())
    return ""


def _default(value: ast.expr | None) -> tuple[str, str]:
    """(default, limits) of `Field(36, ge=1)` or of a plain value."""
    if not isinstance(value, ast.Call) or ast.unparse(value.func) not in ("Field", "field"):
        return (ast.unparse(value) if value else "required"), ""
    named = {keyword.arg: keyword.value for keyword in value.keywords}
    limits = ", ".join(f"{_SIGNS[name]} {ast.unparse(limit)}" for name, limit in named.items() if name in _SIGNS)
    if value.args:
        return ast.unparse(value.args[0]), limits
    factory = named.get("default_factory")
    return {"dict": "{}", "list": "[]", "tuple": "()"}.get(ast.unparse(factory) if factory else "", "required"), limits


def module_constants(text: str) -> tuple[str, list[tuple[str, str]]]:
    """(docstring, [(kind, version)]) of a module that defines KIND and VERSION, in either way of writing it."""
    tree = ast.parse(text)
    values: dict[str, str] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                values.update(_pairs(target, node.value))
    kinds = [
        (values[name], values.get(name.replace("KIND", "VERSION"), "1")) for name in values if name.endswith("KIND")
    ]
    return ast.get_docstring(tree) or "", [
        (kind, version) for kind, version in kinds if kind.startswith(("edgekws", "dataperf"))
    ]


def _pairs(target: ast.expr, value: ast.expr) -> Iterator[tuple[str, str]]:
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        for one, content in zip(target.elts, value.elts, strict=False):
            yield from _pairs(one, content)
    elif isinstance(target, ast.Name) and isinstance(value, ast.Constant):
        yield target.id, str(value.value)
