"""What the source says about its own values: fields of a class with their types, defaults and docstrings."""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, get_args, get_origin


@dataclass(frozen=True)
class Key:
    """One field. kind: its type and limits, in words; default: as the source has it; text: the docstring below it."""

    name: str
    kind: str
    default: str
    text: str


_SIGNS = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<", "min_length": "length >=", "max_length": "length <="}
_TYPES = {"str": "string", "int": "integer", "float": "number", "bool": "true or false", "Any": "anything"}


def keys(model: type) -> list[Key]:
    """The fields of a class, in the order of its source."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(model)))
    body = next(node for node in tree.body if isinstance(node, ast.ClassDef)).body
    return list(_keys(body, vars(sys.modules[model.__module__])))


def _keys(body: list[ast.stmt], names: Mapping[str, object]) -> Iterator[Key]:
    for number, node in enumerate(body):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and not node.target.id.startswith("_"):
            default, limits = _default(node.value)
            kind = ", ".join(filter(None, (words(node.annotation, names), limits)))
            yield Key(node.target.id, kind, default, _docstring(body[number + 1 :]))


def words(annotation: ast.expr, names: Mapping[str, object]) -> str:
    """A type in words: "8 or 4" for Literal[8, 4]. names: those of the module, for aliases."""
    if isinstance(annotation, ast.Subscript):
        return _generic(ast.unparse(annotation.value), annotation.slice, names)
    if isinstance(annotation, ast.BinOp):
        return f"{words(annotation.left, names)} or {words(annotation.right, names)}"
    if isinstance(annotation, ast.Constant):
        return "absent" if annotation.value is None else str(annotation.value)
    name = ast.unparse(annotation)
    if get_origin(alias := names.get(name)) is Literal:
        return _choice(map(repr, get_args(alias)))
    return _TYPES.get(name, name)


def _generic(base: str, inside: ast.expr, names: Mapping[str, object]) -> str:
    elements = inside.elts if isinstance(inside, ast.Tuple) else [inside]
    if base == "Literal":
        return _choice(map(ast.unparse, elements))
    if base == "Annotated":
        return ", ".join(filter(None, (words(elements[0], names), *(_default(one)[1] for one in elements[1:]))))
    if base in ("tuple", "list"):
        return f"list of {_plural(words(elements[0], names))}"
    if base == "dict":
        return f"table of {_plural(words(elements[1], names))}"
    return f"{base}[{ast.unparse(inside)}]"


def _plural(kind: str) -> str:
    return f"{kind}s" if kind in ("string", "integer", "number") else kind


def _choice(values: Iterator[str]) -> str:
    *most, last = values
    return " or ".join(filter(None, (", ".join(most), last)))


def _docstring(rest: list[ast.stmt]) -> str:
    """The string that follows a field; "" when something else does."""
    first = rest[0] if rest else None
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        return " ".join(first.value.value.split())
    return ""


def _default(value: ast.expr | None) -> tuple[str, str]:
    """(default, limits) of `Field(36, ge=1)` or of a plain value; the default is "" where one has to be given."""
    if not isinstance(value, ast.Call) or ast.unparse(value.func) not in ("Field", "field"):
        return (ast.unparse(value) if value else ""), ""
    named = {keyword.arg: keyword.value for keyword in value.keywords}
    limits = ", ".join(f"{_SIGNS[name]} {ast.unparse(limit)}" for name, limit in named.items() if name in _SIGNS)
    if value.args:
        return ast.unparse(value.args[0]), limits
    if "default" in named:
        return ast.unparse(named["default"]), limits
    factory = named.get("default_factory")
    return {"dict": "{}", "list": "[]", "tuple": "()"}.get(ast.unparse(factory) if factory else "", ""), limits


def module_constants(text: str) -> tuple[str, list[tuple[str, str]]]:
    """(docstring, [(kind, version)]) of a module that defines KIND and VERSION, in either way of writing it."""
    tree = ast.parse(text)
    values: dict[str, str] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                values.update(_pairs(target, node.value))
    kinds = {values[name]: values.get(name.replace("KIND", "VERSION"), "1") for name in values if name.endswith("KIND")}
    ours = [(kind, version) for kind, version in kinds.items() if kind.startswith(("edgekws", "dataperf"))]
    return ast.get_docstring(tree) or "", ours


def _pairs(target: ast.expr, value: ast.expr) -> Iterator[tuple[str, str]]:
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        for one, content in zip(target.elts, value.elts, strict=False):
            yield from _pairs(one, content)
    elif isinstance(target, ast.Name) and isinstance(value, ast.Constant):
        yield target.id, str(value.value)
