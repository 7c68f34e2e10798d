"""Integer macros of C headers, read and evaluated on the host.

Sizes of scratch memory are defined once, in C, beside the code that lays the memory out (firmware/kernels/sizes.h lists
what they may contain). Export needs them without a compiler, so the macros are evaluated here. They are limited to
expressions that Python's own parser reads after `->`, `/`, `&&` and comments have been rewritten; C's division equals
Python's where nothing is negative, which is checked.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from typing import NoReturn

from edgekws.errors import ArtifactError

_DEFINE = re.compile(r"^#define (\w+)(?:\(([\w, ]*)\))?[ \t]+(\S.*)$", re.MULTILINE)
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_CONDITION = "EKW_IF"
"""(condition, yes, no), for Python has no ?: operator."""
_OPERATORS: dict[type[ast.AST], Callable[..., int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.BitAnd: operator.and_,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
    ast.USub: operator.neg,
    ast.Invert: operator.invert,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}

_Definition = tuple[tuple[str, ...], str]
"""(parameters, body)"""


class Macros:
    """The macros of some headers, those inside #if included. One with two definitions cannot be evaluated."""

    def __init__(self, headers: Iterable[str]) -> None:
        """headers: their contents."""
        self._definitions: dict[str, set[_Definition]] = {}
        for text in headers:
            for name, parameters, body in _DEFINE.findall(_COMMENT.sub(" ", text.replace("\\\n", " "))):
                names = tuple(each.strip() for each in parameters.split(",")) if parameters else ()
                self._definitions.setdefault(name, set()).add((names, " ".join(body.split())))

    def value(self, name: str, *arguments: object) -> int:
        """The value of the macro for these arguments: integers, or objects with the fields that it reads.

        Raises ArtifactError for a macro that is missing, has two definitions or is not such an expression.
        """
        parameters, tree = self._parsed(name)
        if len(parameters) != len(arguments):
            raise _unreadable(name, f"{len(arguments)} arguments for {len(parameters)}")
        return int(_Evaluation(self, name, dict(zip(parameters, arguments, strict=True))).visit(tree))

    def integers(self) -> dict[str, int]:
        """Macros that are plain numbers, by name."""
        bodies = {name: next(iter(each))[1] for name, each in self._definitions.items() if len(each) == 1}
        return {name: int(body) for name, body in bodies.items() if body.isdigit()}

    def _parsed(self, name: str) -> tuple[tuple[str, ...], ast.expr]:
        definitions = self._definitions.get(name, set())
        if len(definitions) != 1:
            raise _unreadable(name, f"{len(definitions)} definitions")
        ((parameters, body),) = definitions
        text = body.replace("->", ".").replace("&&", " and ").replace("/", "//")
        try:
            return parameters, ast.parse(text, mode="eval").body
        except SyntaxError as error:
            raise _unreadable(name, body) from error


class _Evaluation(ast.NodeVisitor):
    """One macro for one set of arguments. Syntax without a method here is refused."""

    def __init__(self, macros: Macros, name: str, scope: Mapping[str, object]) -> None:
        self.macros, self.name, self.scope = macros, name, scope

    def generic_visit(self, node: ast.AST) -> NoReturn:
        raise _unreadable(self.name, ast.unparse(node))

    def visit_Constant(self, node: ast.Constant) -> object:
        return node.value if isinstance(node.value, int) else self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> object:
        return self.scope[node.id] if node.id in self.scope else self.macros.value(node.id)

    def visit_Attribute(self, node: ast.Attribute) -> object:
        return getattr(self.visit(node.value), node.attr)

    def visit_Subscript(self, node: ast.Subscript) -> object:
        return self.visit(node.value)[self.visit(node.slice)]

    def visit_Call(self, node: ast.Call) -> object:
        name = ast.unparse(node.func)
        if name != _CONDITION:
            return self.macros.value(name, *map(self.visit, node.args))
        condition, yes, no = node.args
        return self.visit(yes if self.visit(condition) else no)

    def visit_BoolOp(self, node: ast.BoolOp) -> object:
        return int(all(map(self.visit, node.values)))

    def visit_UnaryOp(self, node: ast.UnaryOp) -> object:
        return self._computed(node.op, self.visit(node.operand))

    def visit_BinOp(self, node: ast.BinOp) -> object:
        left, right = self.visit(node.left), self.visit(node.right)
        if isinstance(node.op, ast.FloorDiv | ast.Mod) and (left < 0 or right <= 0):
            raise _unreadable(self.name, f"a division of {left} by {right}")
        return self._computed(node.op, left, right)

    def visit_Compare(self, node: ast.Compare) -> object:
        if len(node.ops) > 1:
            return self.generic_visit(node)
        return self._computed(node.ops[0], self.visit(node.left), self.visit(node.comparators[0]))

    def _computed(self, sign: ast.AST, *operands: int) -> int:
        if type(sign) not in _OPERATORS:
            raise _unreadable(self.name, type(sign).__name__)
        return int(_OPERATORS[type(sign)](*operands))


def _unreadable(name: str, got: str) -> ArtifactError:
    return ArtifactError(
        f"the macro {name} of the C kernels should be one expression of firmware/kernels/sizes.h", got=got
    )
