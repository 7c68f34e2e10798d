"""Count and check how the source is laid out: python scripts/structure.py

Bars, each with the number that is allowed:

files in a folder      20   .py files of one product folder (edgekws/, firmware_io/); firmware in C is not counted
files at the root      13   of edgekws/: .py files and py.typed
lines of a file       400   .py, .c, .h and .md of the whole repository, but for what a program wrote
lines of a function     8   median, and 20 at the 90th percentile, of the product: `def` to its last line, without
                            docstring, blank lines and comments
circles                 0   between rooms. A room is a package, or one module at the root of edgekws/ or
                            firmware_io/. Imports inside of functions and under TYPE_CHECKING count
private imports         0   a `_module` or `_symbol` may be used in its own folder and in folders below it
files that name an op   8   product files in which one op of the graph stands as a string or as a C enumerator.
                            Docstrings, and files that import nothing of edgekws.graph or edgekws.quant (their
                            "linear" or "add" is another word), are not counted

The standard library is enough. Exits with 1 where a bar is missed.
"""

from __future__ import annotations

import ast
import re
import statistics
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
PRODUCT = ("edgekws", "firmware_io")
GENERATED = re.compile(r"^(models/.*|benchmarks/results/.*|.*/golden/.*)\.(h|c|md)$")
"""Written by a program: exported C, cards of models, tables of results."""
OP_TABLE = "edgekws/graph/ops.py"
FOLDER_FILES, ROOT_FILES, FILE_LINES, OP_FILES = 20, 13, 400, 8
MEDIAN_LINES, P90_LINES = 8, 20


class Import(NamedTuple):
    """An arrow between two modules, and where it stands. `symbol` is what is taken from `target`, if a symbol is."""

    source: str
    target: str
    symbol: str
    line: int


@dataclass(frozen=True)
class Bar:
    """One row of the table. `misses` says what breaks the bar; none means that it holds."""

    name: str
    figure: str
    allowed: str
    misses: list[str]


@cache
def tracked() -> tuple[str, ...]:
    """Files of the repository, relative to its root, that git knows or would add."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return tuple(sorted(path for path in set(listed) if (ROOT / path).is_file()))


@cache
def modules() -> dict[str, str]:
    """Dotted name -> path of each module of the product."""
    paths = [path for path in tracked() if path.endswith(".py") and path.split("/")[0] in PRODUCT]
    return {path.removesuffix(".py").replace("/", ".").removesuffix(".__init__"): path for path in paths}


@cache
def tree(path: str) -> ast.Module:
    return ast.parse((ROOT / path).read_text(encoding="utf-8"))


def package_of(module: str) -> str:
    """The package in whose folder the module's file lies."""
    return module if modules()[module].endswith("/__init__.py") else module.rpartition(".")[0]


def room_of(module: str) -> str:
    package = package_of(module)
    return module if package in PRODUCT else package


def imports_of(module: str) -> Iterator[Import]:
    """What the module imports of the product, lazy and type-only imports too."""
    for node in ast.walk(tree(modules()[module])):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names if alias.name in modules()]
            yield from (Import(module, name, "", node.lineno) for name in names)
        elif isinstance(node, ast.ImportFrom):
            yield from _from_imports(module, node)


def _from_imports(module: str, node: ast.ImportFrom) -> Iterator[Import]:
    base = node.module or ""
    if node.level:
        above = package_of(module).split(".")
        base = ".".join([*above[: len(above) - node.level + 1], *filter(None, [base])])
    for alias in node.names:
        inner = f"{base}.{alias.name}"
        if inner in modules():
            yield Import(module, inner, "", node.lineno)
        elif base in modules():
            yield Import(module, base, alias.name, node.lineno)


@cache
def imports() -> tuple[Import, ...]:
    return tuple(arrow for module in modules() for arrow in imports_of(module))


# Circles


@cache
def arrows() -> dict[str, dict[str, Import]]:
    """Room -> room that it imports -> the first import that does."""
    rooms: dict[str, dict[str, Import]] = defaultdict(dict)
    for arrow in imports():
        source, target = room_of(arrow.source), room_of(arrow.target)
        if source != target:
            rooms[source].setdefault(target, arrow)
    return dict(rooms)


def reachable(start: str, graph: dict[str, dict[str, Import]]) -> dict[str, str]:
    """Each room that imports lead to from `start`, by the shortest way -> the room before it."""
    before: dict[str, str] = {}
    front = [start]
    while front:
        steps = [(room, target) for room in front for target in sorted(graph.get(room, {}))]
        front = []
        for room, target in steps:
            if target not in before:
                before[target] = room
                front.append(target)
    return before


def circle_through(start: str, graph: dict[str, dict[str, Import]]) -> list[str]:
    """The shortest circle of rooms that begins and ends at `start`; empty where there is none."""
    before = reachable(start, graph)
    if start not in before:
        return []
    way = [start, before[start]]
    while way[-1] != start:
        way.append(before[way[-1]])
    return way[::-1]


def tangles() -> list[set[str]]:
    """Rooms that all import each other, by whatever way; largest first."""
    onward = {room: set(reachable(room, arrows())) for room in arrows()}
    left, groups = set(onward), []
    for room in sorted(onward):
        group = {other for other in onward[room] if room in onward.get(other, set())} & left
        if room in group:
            groups.append(group)
            left -= group
    return sorted(groups, key=len, reverse=True)


def circles() -> list[str]:
    """Each tangle of rooms and, with files and lines, the shortest circle through each of its rooms."""
    told: list[str] = []
    for group in tangles():
        told.append(f"{len(group)} rooms: {', '.join(sorted(group))}")
        ways = {frozenset(way): way for room in sorted(group, reverse=True) if (way := circle_through(room, arrows()))}
        for way in sorted(ways.values(), key=len):
            told.append("  " + " -> ".join(way))
            told += [f"    {_where(arrows()[a][b])}" for a, b in pairwise(way)]
    return told


def _where(arrow: Import) -> str:
    what = f"{arrow.target}.{arrow.symbol}" if arrow.symbol else arrow.target
    return f"{modules()[arrow.source]}:{arrow.line} imports {what}"


# Private modules and symbols


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def _homes(module: str, symbol: str) -> list[str]:
    """The packages in which each private part of `module.symbol` is at home."""
    parts = module.split(".")
    homes = [".".join(parts[:index]) for index, part in enumerate(parts) if _is_private(part)]
    return [*homes, package_of(module)] if _is_private(symbol) else homes


def is_at_home(source: str, target: str, symbol: str) -> bool:
    here = f"{package_of(source)}."
    return all(here.startswith(f"{home}.") for home in _homes(target, symbol))


def _attributes(module: str) -> Iterator[Import]:
    """Private attributes that are read from imported modules: `from edgekws import x`, then `x._y`."""
    source = tree(modules()[module])
    names: dict[str, str] = {}
    for node in ast.walk(source):
        if isinstance(node, ast.ImportFrom) and not node.level:
            whole = {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
            names |= {name: target for name, target in whole.items() if target in modules()}
    for node in ast.walk(source):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in names:
            yield Import(module, names[node.value.id], node.attr, node.lineno)


def private_imports() -> list[str]:
    used = [*imports(), *(arrow for module in modules() for arrow in _attributes(module))]
    return sorted({_where(arrow) for arrow in used if not is_at_home(arrow.source, arrow.target, arrow.symbol)})


# Sizes


def folder_sizes() -> Counter[str]:
    """.py files of each folder of the product."""
    return Counter(str(Path(path).parent) for path in modules().values())


def root_files() -> list[str]:
    inside = [path for path in tracked() if str(Path(path).parent) == PRODUCT[0]]
    return [path for path in inside if path.endswith((".py", "py.typed"))]


def file_lengths() -> dict[str, int]:
    written = [path for path in tracked() if path.endswith((".py", ".c", ".h", ".md")) and not GENERATED.match(path)]
    return {path: len((ROOT / path).read_text(encoding="utf-8").splitlines()) for path in written}


def function_lengths() -> list[tuple[int, str]]:
    """(lines of code, where) of each function of the product, from `def` on."""
    lengths = []
    for path in modules().values():
        lines = (ROOT / path).read_text(encoding="utf-8").splitlines()
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lengths.append((_code_lines(node, lines), f"{path}:{node.lineno} {node.name}"))
    return sorted(lengths)


def _code_lines(node: ast.FunctionDef | ast.AsyncFunctionDef, lines: list[str]) -> int:
    first = node.body[0]
    is_told = (
        isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    )
    docstring = range(first.lineno, (first.end_lineno or first.lineno) + 1) if is_told else ()
    inside = (number for number in range(node.lineno, (node.end_lineno or node.lineno) + 1) if number not in docstring)
    return sum(bool((text := lines[number - 1].strip()) and not text.startswith("#")) for number in inside)


# Ops


def ops() -> list[str]:
    """The ops of the graph: the rows of the table, `Operation("name", ...)`."""
    calls = [node for node in ast.walk(tree(OP_TABLE)) if isinstance(node, ast.Call)]
    rows = [call.args[0] for call in calls if ast.unparse(call.func) == "Operation" and call.args]
    return sorted(str(row.value) for row in rows if isinstance(row, ast.Constant))


def strings_of(path: str) -> set[str]:
    """String literals of a Python file that are not docstrings."""
    nodes = list(ast.walk(tree(path)))
    alone = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    constants = (node for node in nodes if isinstance(node, ast.Constant) and id(node) not in alone)
    return {node.value for node in constants if isinstance(node.value, str)}


def enumerators_of(path: str) -> set[str]:
    """Names in the enums of a C file, in lower case: ekw_conv2d."""
    text = (ROOT / path).read_text(encoding="utf-8")
    return {
        name.lower() for body in re.findall(r"\benum\b[^{;]*\{([^}]*)\}", text) for name in re.findall(r"\w+", body)
    }


def _may_name_ops(module: str) -> bool:
    near = ("edgekws.graph", "edgekws.quant")
    return module.startswith(near) or any(arrow.target.startswith(near) for arrow in imports_of(module))


def op_files() -> dict[str, list[str]]:
    """Op -> the files of the product in which it stands."""
    strings = {path: strings_of(path) for module, path in modules().items() if _may_name_ops(module)}
    in_c = [path for path in tracked() if path.startswith(PRODUCT) and path.endswith((".c", ".h"))]
    enums = {path: enumerators_of(path) for path in in_c}
    files: dict[str, list[str]] = {}
    for op in ops():
        files[op] = [path for path, held in strings.items() if op in held]
        files[op] += [path for path, held in enums.items() if held & {f"ekw_{op}", f"ekw_op_{op}"}]
    return files


# The bars


def over(sizes: Iterable[tuple[str, int]], allowed: int) -> list[str]:
    return [f"{name}: {size}" for name, size in sizes if size > allowed]


def folders_bar() -> Bar:
    sizes = folder_sizes()
    misses = over(sizes.items(), FOLDER_FILES)
    return Bar("files in a product folder", str(max(sizes.values())), f"<= {FOLDER_FILES}", misses)


def root_bar() -> Bar:
    files = root_files()
    misses = files if len(files) > ROOT_FILES else []
    return Bar("files at the root of edgekws/", str(len(files)), f"<= {ROOT_FILES}", misses)


def lines_bar() -> Bar:
    sizes = file_lengths()
    return Bar("lines of a file", str(max(sizes.values())), f"<= {FILE_LINES}", over(sizes.items(), FILE_LINES))


def functions_bar() -> Bar:
    sizes = [size for size, _ in function_lengths()]
    median, p90 = statistics.median(sizes), statistics.quantiles(sizes, n=10)[-1]
    longest = [f"{where}: {size}" for size, where in function_lengths()[-10:]]
    misses = longest if median > MEDIAN_LINES or p90 > P90_LINES else []
    allowed = f"<= {MEDIAN_LINES}, {P90_LINES}"
    return Bar(f"lines of a function ({len(sizes)}): median, p90", f"{median:g}, {p90:g}", allowed, misses)


def circles_bar() -> Bar:
    told = circles()
    return Bar("rooms in circles of imports", str(sum(map(len, tangles()))), "0", told)


def private_bar() -> Bar:
    told = private_imports()
    return Bar("private imports across packages", str(len(told)), "0", told)


def ops_bar() -> Bar:
    by_op = op_files()
    misses = [f"{op}: {len(files)}: {', '.join(files)}" for op, files in by_op.items() if len(files) > OP_FILES]
    return Bar("files that name one op", str(max(map(len, by_op.values()))), f"<= {OP_FILES}", misses)


BARS = (folders_bar, root_bar, lines_bar, functions_bar, circles_bar, private_bar, ops_bar)


def main() -> int:
    bars = [bar() for bar in BARS]
    rooms = {room_of(module) for module in modules()}
    print(f"{len(modules())} modules in {len(rooms)} rooms, {sum(map(len, arrows().values()))} arrows")
    for bar in bars:
        print(f"{'FAILS' if bar.misses else 'ok':5}  {bar.name:48} {bar.figure:>8}  {bar.allowed}")
    for bar in bars:
        if bar.misses:
            print("", bar.name, *(f"  {miss}" for miss in bar.misses), sep="\n")
    return int(any(bar.misses for bar in bars))


if __name__ == "__main__":
    sys.exit(main())
