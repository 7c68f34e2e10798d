"""User-defined selectors: one Python file with a function `select`, or a strategy class in DataPerf's style.

A strategy class takes allowed_embeddings, config, audio_flag (and train_size, if it asks for it) and has a method
`select()` whose result has `targets` and `nontargets`. Where it imports `selection.selection` and that is not
installed, a replacement provides the two names that submissions use, TrainingSet and TrainingSetSelection.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from edgekws.curate.select import Pool, Selection, Selector
from edgekws.errors import ConfigError


@dataclass
class TrainingSet:
    """The result of a strategy: ids by target, and of other words."""

    targets: dict[str, list[str]]
    nontargets: list[str]


class TrainingSetSelection:
    """Base class of strategies: sets the same attributes as DataPerf's own."""

    def __init__(
        self, allowed_embeddings: dict[str, Any], config: dict[str, Any], train_size: int = 0, audio_flag: bool = False
    ) -> None:
        self.embeddings = allowed_embeddings
        self.config = config
        self.train_set_size = train_size or config.get("train_set_size_limit", 0)
        self.random_seed = config.get("selection_random_seed", config.get("random_seed", 0))
        self.audio_flag = audio_flag

    def select(self) -> TrainingSet:
        raise NotImplementedError("a strategy should have its own select()")


@dataclass(frozen=True)
class Reference:
    """A selector by its file, module or class, and the configuration for a strategy class.

    name: "path/file.py", "path/file.py:Class" or "package.module:Class".
    """

    name: str
    config: Mapping[str, Any] = field(default_factory=dict)


def load(reference: Reference) -> Selector:
    """The selector's function. Raises ConfigError for a file that cannot be read or has no selector."""
    place, _, class_name = reference.name.partition(":")
    module = _from_file(Path(place)) if place.endswith(".py") else _from_package(place)
    if not class_name:
        if callable(getattr(module, "select", None)):
            return cast(Selector, module.select)
        class_name = _only_strategy(module, place)
    strategy = getattr(module, class_name, None)
    if not inspect.isclass(strategy):
        raise ConfigError(f"{place} should have the class {class_name}", got=f"no class of that name in {place}")
    return lambda pool, size, seed: _from_strategy(strategy, reference.config, pool, size, seed)


def _only_strategy(module: ModuleType, place: str) -> str:
    own = [
        name
        for name, value in vars(module).items()
        if inspect.isclass(value) and value.__module__ == module.__name__ and callable(getattr(value, "select", None))
    ]
    if len(own) != 1:
        raise ConfigError(
            f"{place} should have a function select(pool, size, seed), or one class with a method select()",
            got=f"the classes {', '.join(own)}" if own else "neither",
            hint=f"name the class: {place}:Class" if own else "see edgekws.curate.select for the function's values",
        )
    return own[0]


def _from_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise ConfigError(f"{path} should be a Python file with a selector", got="no such file")
    spec = importlib.util.spec_from_file_location(f"edgekws_user_{path.stem}", path)
    assert spec is not None and spec.loader is not None  # every .py file has both
    module = importlib.util.module_from_spec(spec)
    _provide_base_class()
    sys.modules[spec.name] = module  # dataclasses look for it there
    _import(str(path), lambda: spec.loader.exec_module(module))  # type: ignore[union-attr]
    return module


def _from_package(name: str) -> ModuleType:
    _provide_base_class()
    return cast(ModuleType, _import(name, lambda: importlib.import_module(name)))


def _import(name: str, run: Callable[[], ModuleType | None]) -> ModuleType | None:
    try:
        return run()
    except (Exception, SystemExit) as error:  # untrusted code
        got = f"{type(error).__name__}: {error}"
        raise ConfigError(f"{name} should be importable", got=got, hint=_hint(name, error)) from error


def _hint(name: str, error: BaseException) -> str:
    beside = isinstance(error, ModuleNotFoundError) and Path(name).with_name(f"{error.name}.py").is_file()
    return (
        "a selector is one file and cannot import files beside it; install it as a package and name it module:Class"
        * beside
    )


def _provide_base_class() -> None:
    if "selection" in sys.modules or importlib.util.find_spec("selection") is not None:
        return
    package, module = ModuleType("selection"), ModuleType("selection.selection")
    module.TrainingSet = TrainingSet  # type: ignore[attr-defined]
    module.TrainingSetSelection = TrainingSetSelection  # type: ignore[attr-defined]
    package.selection = module  # type: ignore[attr-defined]
    package.__path__ = []
    sys.modules |= {"selection": package, "selection.selection": module}


def _from_strategy(strategy: type[Any], config: Mapping[str, Any], pool: Pool, size: int, seed: int) -> Selection:
    arguments = {
        "allowed_embeddings": embeddings(pool), "train_size": size, "audio_flag": False,
        "config": {"selection_random_seed": seed, "random_seed": seed, "train_set_size_limit": size, **config},
    }  # fmt: skip
    parameters = inspect.signature(strategy).parameters.values()
    if not any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters):
        arguments = {name: value for name, value in arguments.items() if name in {one.name for one in parameters}}
    chosen = strategy(**arguments).select()
    return Selection({name: tuple(ids) for name, ids in chosen.targets.items()}, tuple(chosen.nontargets))


def embeddings(pool: Pool) -> dict[str, Any]:
    """The pool as strategies see it: {"targets": {word: [clip]}, "nontargets": [clip]}, clip: ID, feature_vector."""
    lists: dict[int, list[dict[str, Any]]] = {label: [] for label in [*range(len(pool.targets)), -1]}
    for name, label, vector in zip(pool.ids, pool.classes.tolist(), pool.vectors, strict=True):
        lists[label].append({"ID": name, "feature_vector": vector})
    return {"targets": {word: lists[label] for label, word in enumerate(pool.targets)}, "nontargets": lists[-1]}
