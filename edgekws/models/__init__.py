"""The released models: by name, wherever edgekws is installed.

Each is a folder with recipe.toml, graph.npz, golden.npz (clips to bench a board without recordings) and card.md. A
folder with a recipe alone is a recipe that `train` takes by its name. In a checkout they are the repository's
`models/`; the wheel carries them beside this file.
"""

from __future__ import annotations

import difflib
from pathlib import Path

from edgekws.errors import ConfigError, unknown

RECIPE, GRAPH, GOLDEN, FLOAT = "recipe.toml", "graph.npz", "golden.npz", "float.safetensors"
_PREFIX = "models"


def home() -> Path:
    """The folder of all released models."""
    installed = Path(__file__).resolve().parent
    checkout = installed.parents[1] / _PREFIX
    return installed if any(installed.glob(f"*/{RECIPE}")) else checkout


def names() -> list[str]:
    """Names of the released models, sorted."""
    return sorted(path.parent.name for path in home().glob(f"*/{GRAPH}"))


def recipes() -> list[str]:
    """Names of the released recipes, sorted: of the models, and those that are for other data."""
    return sorted(path.parent.name for path in home().glob(f"*/{RECIPE}"))


def folder(name: str) -> Path:
    """The folder of a released model, which is only read. Raises ConfigError that lists the names."""
    if name not in names():
        raise ConfigError(unknown("model", name, names()))
    return home() / name


def find(path: Path, file: str = "") -> Path:
    """`path` itself if it exists; else what it names of the released models; else `path` again.

    Of the released ones `dscnn` names a folder (its `file`, if one is given), `models/dscnn/x` a file of it. A
    name that is only a recipe's stands for that.
    """
    if path.exists() or path.is_absolute():
        return path
    parts = path.parts
    if parts[:1] == (_PREFIX,) and parts[1:2] and parts[1] in recipes():
        released = home().joinpath(*parts[1:])
        return released if released.exists() else path
    if len(parts) == 1 and parts[0] in _released(file):
        return home() / parts[0] / file
    return path


def near(path: Path, file: str = "") -> str:
    """The released model, or recipe where `file` is one, of nearly the name of a `path` that is not there; or ""."""
    close = difflib.get_close_matches(path.name, _released(file), 1)
    return close[0] if close and not path.suffix and not path.exists() else ""


def suggestion(path: Path, file: str = "") -> str:
    """What to do about a `path` that is not there: the released model of nearly this name, or all names.

    file: RECIPE where a recipe is asked for; their names are then suggested.
    """
    what = f"a released {'recipe' if file == RECIPE else 'model'}"
    guess = f"did you mean {near(path, file)}, {what}? Else " if near(path, file) else ""
    return f"{guess}check the path, or name {what}: {', '.join(_released(file))}"


def _released(file: str) -> list[str]:
    return recipes() if file == RECIPE else names()
