"""Plugins: a module or a TOML file in the folder of its kind, known by its name. Nothing is registered.

KINDS says where each kind lives in this tree, which option names one, and what a plugin must define. Another package
adds plugins of any kind in folders named like the kinds, and holds only those that it adds to:

    mypackage/selectors/x.py    mypackage/meters/y/__init__.py    mypackage/boards/z.toml

It is found when it is installed with the entry point

    [project.entry-points."edgekws.plugins"]
    mypackage = "mypackage"

or when the environment variable EDGEKWS_PLUGINS names it (several with commas). A name that starts with an underscore
is no plugin. Finding and listing names import nothing: a package or a plugin that is broken breaks no other.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import os
import pkgutil
import sys
import tomllib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType

from edgekws.errors import ConfigError, EdgeKwsError, MissingPackageError, unknown

GROUP, VARIABLE, OLD_VARIABLE = "edgekws.plugins", "EDGEKWS_PLUGINS", "EDGEKWS_PLUGS"
_OURS = ("edgekws", "firmware_io")


@dataclass(frozen=True)
class Kind:
    """One kind of plugin.

    homes: packages of this tree that hold its plugins. option: what a person types to choose one.
    contract: names that a plugin defines; "a|b" is one of the two. old_folder: what outside packages called the
    folder before it was named like the kind. reader: "module:function" that reads a plugin of a kind whose plugins
    are TOML files. dashes: names are typed with dashes.
    """

    homes: tuple[str, ...]
    option: str
    contract: tuple[str, ...]
    old_folder: str = ""
    reader: str = ""
    dashes: bool = False


KINDS = {
    "sources": Kind(("edgekws.data.sources",), "--source", ("scan",), "data"),
    "speech_engines": Kind(
        ("edgekws.data.synthesis",),
        "--engine",
        ("HOW_TO_GET", "SAYS_PHONEMES", "SHARE", "available", "voices", "say"),
        dashes=True,
    ),
    "networks": Kind(("edgekws.nets",), "the recipe's [net] name", ("build",), "nets"),
    "targets": Kind(
        ("edgekws.targets",),
        "the target",
        (
            *("NAME", "RULE", "WEIGHT_BITS", "DEVICES", "MAX_FACTOR", "ACCELERATOR"),
            *("weight_limit", "quantize_multiplier", "offset_limit", "pool_factor", "legal", "cycles"),
        ),
    ),
    "emitters": Kind(("edgekws.emit", "firmware_io.emit"), "--format", ("emit",), "emit", dashes=True),
    "importers": Kind(("edgekws.importers",), "the model format", ("read", "SUFFIXES", "recognizes"), dashes=True),
    "engines": Kind(("edgekws.engines", "firmware_io.engines"), "the engine", ("compile",)),
    "vendors": Kind(
        ("edgekws.vendor",),
        "--for",
        ("NAME", "TARGET", "HOW_TO_GET", "write", "command", "installed", "compile_model"),
        "vendor",
        dashes=True,
    ),
    "encoders": Kind(("edgekws.encoders",), "the encoder", ("load",)),
    "trackers": Kind(("edgekws.training.trackers",), "the tracker", ("start",)),
    "embeddings": Kind(("edgekws.curate.embed.models",), "--model", ("load_model", "get_scene_embeddings"), "embed"),
    "selectors": Kind(("edgekws.curate.select.selectors",), "--selector", ("select",), "select"),
    "shard_methods": Kind(("edgekws.curate.shards.methods",), "--method", ("choose",), "scale.methods"),
    "workers": Kind(("edgekws.curate.workers",), "--engine", ("start",), "scale.engines"),
    "boards": Kind(("firmware_io.boards",), "--board", (), reader="firmware_io.board:read"),
    "bench_modes": Kind(("firmware_io.bench.modes",), "--mode", ("ORDER", "Runner")),
    "transports": Kind(("firmware_io.transport",), "--port", ("connect",)),
    "flash_tools": Kind(("firmware_io.flash",), "--tool", ("CAPABILITIES", "require", "command|plan", "start|flash")),
    "meters": Kind(("firmware_io.monitors",), "--meter", ("CAPABILITIES", "connect|load|estimate")),
}


@dataclass(frozen=True)
class Package:
    """A package that plugins come from. origin: how it was found. problem: why it cannot be, or ""."""

    name: str
    origin: str
    roots: tuple[Path, ...] = ()
    problem: str = ""

    @property
    def built_in(self) -> bool:
        return self.name in _OURS


@dataclass(frozen=True)
class Plugin:
    """module: what is imported; "" for a TOML file."""

    kind: str
    name: str
    path: Path
    module: str
    package: Package


@dataclass(frozen=True)
class Entry:
    """A row of the list. description: first line of its docstring, or a board's title.

    problem: why it is broken; "" when it is not. needs: a package that this built-in plugin needs and that is not
    installed; "" for none.
    """

    kind: str
    name: str
    description: str
    origin: str
    path: str
    problem: str = ""
    needs: str = ""


def packages() -> list[Package]:
    """Where plugins may come from: this tree, what is installed, what EDGEKWS_PLUGINS names. Broken ones included."""
    origins = dict.fromkeys(_OURS, "built in")
    for name, origin in (*_installed(tuple(sys.path)), *((name, VARIABLE) for name in named_packages())):
        origins.setdefault(name, origin)
    return [_package(name, origin) for name, origin in origins.items()]


def named_packages() -> list[str]:
    """The packages that the environment variable names, by its old name as well."""
    if os.environ.get(OLD_VARIABLE):
        _notice(f"the environment variable {OLD_VARIABLE} is now called {VARIABLE}")
    text = f"{os.environ.get(VARIABLE, '')},{os.environ.get(OLD_VARIABLE, '')}"
    return list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def names(kind: str) -> list[str]:
    """The plugins of a kind, sorted. Imports none."""
    return sorted({plugin.name for plugin in _located(kind)})


def described(kind: str) -> dict[str, str]:
    """Name -> what it is, in one line. Imports none."""
    return {plugin.name: _description(plugin) for plugin in _located(kind)}


def find(kind: str, name: str, hint: str = "") -> Plugin:
    """The plugin of this name; dashes and underscores are alike. hint: what to do about one that is not there.

    Raises ConfigError when there is none (it names those that are close, and lists all), or more than one.
    """
    matches = [plugin for plugin in _located(kind) if _key(plugin.name) == _key(name)]
    if not matches:
        raise _unknown(kind, name, hint)
    if clash := _clash(matches[0], matches):
        raise ConfigError(f"{row(kind).option} {name} should name one plugin", got=clash, hint=_RENAME)
    return matches[0]


def load(kind: str, name: str, hint: str = "") -> ModuleType:
    """Import one plugin, by the name of its file. See also `find`.

    Raises ConfigError when there is none of this name, when one from outside cannot be imported, and when it does not
    define what a plugin of its kind defines.
    """
    return _imported(find(kind, name, hint))


def parameters(plugin: Plugin, function: str) -> list[str]:
    """The names of a plugin's function's parameters, read from its source: nothing is imported.

    Empty for a function that takes any keywords, and where there is none to read.
    """
    try:
        tree = ast.parse(plugin.path.read_text(encoding="utf-8"))
    except (OSError, ValueError, SyntaxError):
        return []
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == function and node.args.kwarg is None:
            return [each.arg for each in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
    return []


def listing(kinds: list[str] | None = None) -> list[Entry]:
    """All plugins of these kinds, else of every kind, each of them tried; then the packages that cannot be found."""
    entries = [entry for kind in kinds or KINDS for entry in _entries(kind)]
    broken = [package for package in packages() if package.problem]
    return entries + [Entry("packages", each.name, "", each.origin, "", each.problem) for each in broken]


def row(kind: str) -> Kind:
    """Its row of the table. Raises ConfigError that lists the kinds."""
    if kind not in KINDS:
        raise ConfigError(unknown("the kind of plugin", kind, KINDS))
    return KINDS[kind]


def typed(kind: str, name: str) -> str:
    """The name as a person types it."""
    return name.replace("_", "-") if row(kind).dashes else name


_RENAME = "rename the file of one of them, or leave its package out"


def _located(kind: str) -> list[Plugin]:
    """All plugins of a kind, sorted by name; two of one name are both there."""
    plugins = [plugin for package in packages() for plugin in _of_package(package, kind)]
    return sorted(plugins, key=lambda plugin: plugin.name)


def _of_package(package: Package, kind: str) -> Iterator[Plugin]:
    entry = row(kind)
    if package.built_in:
        prefix = f"{package.name}."
        folders = [home.removeprefix(prefix) for home in entry.homes if home.startswith(prefix)]
        yield from (plugin for folder in folders for plugin in _of_folder(package, kind, folder))
        return
    yield from _of_folder(package, kind, kind)
    if entry.old_folder and (old := list(_of_folder(package, kind, entry.old_folder))):
        folder = entry.old_folder.replace(".", "/")
        _notice(f"the folder {folder} of the package {package.name} should now be called {kind}")
        yield from old


def _of_folder(package: Package, kind: str, folder: str) -> Iterator[Plugin]:
    for root in package.roots:
        home = root.joinpath(*folder.split("."))
        for name, path in _modules(home) if not row(kind).reader else _tables(home):
            if not name.startswith("_"):
                module = "" if row(kind).reader else f"{package.name}.{folder}.{name}"
                yield Plugin(kind, name, path, module, package)


def _modules(home: Path) -> Iterator[tuple[str, Path]]:
    for module in pkgutil.iter_modules([str(home)]):
        yield module.name, home / (f"{module.name}/__init__.py" if module.ispkg else f"{module.name}.py")


def _tables(home: Path) -> Iterator[tuple[str, Path]]:
    return ((path.stem, path) for path in sorted(home.glob("*.toml")))


def _package(name: str, origin: str) -> Package:
    try:
        spec = importlib.util.find_spec(name)
    except Exception as error:  # what surrounds it is anybody's code
        return Package(name, origin, (), _in_words(error))
    if spec is None:
        return Package(name, origin, (), "there is no such package")
    if not spec.submodule_search_locations:
        return Package(name, origin, (), "it is a module, not a package with folders of plugins")
    roots = {
        Path(place).resolve(): None for place in spec.submodule_search_locations
    }  # the same folder may be there twice
    return Package(name, origin, tuple(roots))


@cache
def _installed(path: tuple[str, ...]) -> tuple[tuple[str, str], ...]:  # noqa: ARG001 (what is installed depends on it)
    """(package, name and version of what installed it) of each entry point."""
    from importlib.metadata import entry_points

    points = sorted(entry_points(group=GROUP), key=lambda point: point.module)
    return tuple((point.module, f"{point.dist.name} {point.dist.version}" if point.dist else "") for point in points)


def _imported(plugin: Plugin) -> ModuleType:
    try:
        module = importlib.import_module(plugin.module)
    except EdgeKwsError:
        raise
    except (Exception, SystemExit) as error:
        if plugin.package.built_in:
            raise
        got, hint = _in_words(error), f"repair {plugin.path}, or leave the package {plugin.package.name} out"
        raise ConfigError(f"the plugin {plugin.module} should be importable", got=got, hint=hint) from error
    missing = [one for one in row(plugin.kind).contract if not any(hasattr(module, name) for name in one.split("|"))]
    if missing:
        expected = ", ".join(name.replace("|", " or ") for name in missing)
        raise ConfigError(f"the plugin {plugin.module} should define {expected}", got=f"no such name in {plugin.path}")
    return module


def _entries(kind: str) -> Iterator[Entry]:
    plugins = _located(kind)
    for plugin in plugins:
        problem, needs = _clash(plugin, plugins), ""
        if not problem:
            problem, needs = _tried(plugin)
        yield Entry(kind, plugin.name, _description(plugin), plugin.package.origin, str(plugin.path), problem, needs)


def _clash(plugin: Plugin, plugins: list[Plugin]) -> str:
    """What is said when others have its name; "" when none has."""
    paths = [str(other.path) for other in plugins if _key(other.name) == _key(plugin.name)]
    return f"{' and '.join(paths)}, which have the same name" if len(paths) > 1 else ""


def _tried(plugin: Plugin) -> tuple[str, str]:
    """(why it is broken or "", the package that a built-in one lacks or "")."""
    try:
        if reader := row(plugin.kind).reader:
            module, _, function = reader.partition(":")
            getattr(importlib.import_module(module), function)(plugin.path)
        else:
            _imported(plugin)
    except MissingPackageError as error:
        return "", error.package
    except EdgeKwsError as error:
        return str(error), ""
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        return ("", missing) if missing not in ("", *_OURS) else (_in_words(error), "")
    except Exception as error:
        return _in_words(error), ""
    return "", ""


def _description(plugin: Plugin) -> str:
    """Read, not imported: one that is broken has its description, too."""
    try:
        text = plugin.path.read_text(encoding="utf-8")
        if not plugin.module:
            return str(tomllib.loads(text).get("title", ""))
        return (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0]
    except (OSError, ValueError, SyntaxError):
        return ""


def _unknown(kind: str, name: str, hint: str) -> ConfigError:
    broken = [f"{package.name} ({package.problem})" for package in packages() if package.problem]
    hints = [hint, f"plugins of these packages are missing: {', '.join(broken)}" if broken else ""]
    known = [typed(kind, known) for known in names(kind)]
    return ConfigError(unknown(row(kind).option, name, known), hint="; ".join(filter(None, hints)))


def _key(name: str) -> str:
    return name.replace("-", "_")


def _in_words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".strip().partition("\n")[0]


def _notice(text: str) -> None:
    """Shown once in a process, by Python's own rule for warnings."""
    warnings.warn(text, FutureWarning, stacklevel=2)
