"""Reference pages made from the code: recipe, file formats, exit codes, plugins, board files, Python."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from edgekws import api, errors, plugins, recipe
from edgekws.data.augment import AugmentSpec
from firmware_io.board import Board
from scripts.docsite.links import ROOT
from scripts.docsite.source import Key, keys, module_constants


def pages() -> dict[str, str]:
    """Path on the site -> Markdown."""
    return {
        "reference/recipe.md": recipe_page(),
        "reference/files.md": files_page(),
        "reference/exit-codes.md": exit_codes_page(),
        "reference/plugins.md": plugins_page(),
        "reference/board-file.md": board_page(),
        "reference/python.md": python_page(),
    }


def recipe_page() -> str:
    """Every section and key of a recipe."""
    parts = [
        "# Recipe\n",
        "A recipe is one TOML file that says how a model is made. Every key has a default, and a key that does not "
        "exist is refused by name. The recipe of a released model goes by the model's name: `--recipe dscnn`.\n",
        "## At the top\n",
        _table([key for key in keys(recipe.Recipe) if not section_of(key.name)]),
    ]
    for name in recipe.Recipe.model_fields:
        if section := section_of(name):
            about = _about(section)
            parts += [f"## [{name}]\n", *([f"{about}\n"] if about else []), _table(keys(section))]
    example = (ROOT / "models" / "dscnn" / "recipe.toml").read_text()
    return "\n".join([*parts, "## An example\n", f"`models/dscnn/recipe.toml`:\n\n```toml\n{example}```\n"])


def section_of(name: str) -> type | None:
    """The class of a section of a recipe; None for a plain key."""
    kind: Any = recipe.Recipe.model_fields[name].annotation
    candidates = [kind, *getattr(kind, "__args__", ())]
    models = [one for one in candidates if inspect.isclass(one) and (issubclass(one, BaseModel) or one is AugmentSpec)]
    return models[0] if models else None


def _about(model: type) -> str:
    """The docstring that a class has of its own."""
    own = vars(model).get("__doc__") or ""
    return "" if own.startswith(f"{model.__name__}(") else inspect.cleandoc(own)


def _table(rows: list[Key]) -> str:
    """A table of keys, with their meanings if they have any."""
    titles = ["key", "type", "default", *(["meaning"] if any(key.text for key in rows) else [])]
    lines = [_row(titles), _row(["---"] * len(titles))]
    for key in rows:
        default = f"`{key.default}`" if key.default else "required"
        lines.append(_row([f"`{key.name}`", key.kind, default, key.text][: len(titles)]))
    return "\n".join([*lines, ""])


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def files_page() -> str:
    """Every file with a kind and a version, as the module that writes it describes it."""
    parts = [
        "# File formats\n",
        "Every document says its kind and its version. A reader refuses another kind and a version that it does not "
        "know. Nothing is unpickled: weights are safetensors, arrays are `.npz` read with `allow_pickle=False`. A file "
        "is written under a temporary name and renamed, so a killed command leaves the old file or the new one.\n",
        "The text of each section is that of the module that writes the file.\n",
    ]
    formats = {}
    for package in ("edgekws", "firmware_io"):
        for path in sorted((ROOT / package).rglob("*.py")):
            source = path.read_text()
            text, kinds = module_constants(source) if "KIND" in source else ("", [])
            formats.update({kind: (version, text, path) for kind, version in kinds if kind not in formats})
    for kind, (version, text, path) in sorted(formats.items()):
        parts.append(f"## {kind}\n\nVersion {version}, `{path.relative_to(ROOT)}`.\n\n```text\n{text}\n```\n")
    return "\n".join(parts)


def exit_codes_page() -> str:
    """The tree of errors, as its module has it."""
    text = inspect.cleandoc(errors.__doc__ or "")
    return (
        "# Exit codes\n\nA command that did what it was asked for exits with 0. Scripts can rely on these codes. "
        "[Troubleshooting](../troubleshooting.md) has an example of each.\n\n"
        f"```text\n{text}\n```\n\n"
        "A command that was stopped exits with 130 (Ctrl-C), 143 (SIGTERM) or 129 (SIGHUP).\n\n"
        "## Extras\n\nA command that needs a package which is not installed names the extra that brings it, and exits "
        f"with 4.\n\n| extra | modules |\n|---|---|\n{_extras()}\n"
    )


def _extras() -> str:
    return "\n".join(
        f"| `{extra}` | {', '.join(f'`{one}`' for one in modules)} |" for extra, modules in errors.EXTRAS.items()
    )


def plugins_page() -> str:
    """Every kind of plugin, what one must define, and those that are there."""
    text = inspect.cleandoc(plugins.__doc__ or "")
    parts = [
        "# Plugins\n",
        f"```text\n{text}\n```\n",
        "`edgekws plugins` lists what is installed, and why one is broken.\n",
    ]
    for kind, row in plugins.KINDS.items():
        homes = " and ".join(f"`{home.replace('.', '/')}`" for home in row.homes)
        contract = (
            ", ".join(f"`{name.replace('|', '` or `')}`" for name in row.contract) or "the fields of its TOML file"
        )
        parts.append(f"## {kind}\n\nLives in {homes}. Chosen with {_code(row.option)}. Defines {contract}.\n")
        rows = [f"| `{plugins.typed(kind, name)}` | {text} |" for name, text in plugins.described(kind).items()]
        parts.append("\n".join(["| plugin | what it is |", "|---|---|", *rows, ""]) if rows else "None is built in.\n")
    return "\n".join(parts)


def _code(option: str) -> str:
    return f"`{option}`" if option.startswith("--") else option


def board_page() -> str:
    """Every field of a board's TOML file."""
    about = inspect.cleandoc(Board.__doc__ or "")
    example = (ROOT / "firmware_io" / "boards" / "qemu-an386.toml").read_text()
    return (
        "# Board file\n\nA board is one TOML file; its name is the board's name. [Bring up a board of your own]"
        "(../how-to/own-board.md) makes one step by step.\n\n"
        f"{_fields(about)}\n\n{_table([key for key in keys(Board) if key.name != 'name'])}\n"
        f"## An example\n\n`firmware_io/boards/qemu-an386.toml`:\n\n```toml\n{example}```\n"
    )


def _fields(docstring: str) -> str:
    """Lines "names: text" as a list; what follows a line without a name belongs to it."""
    title, _, rest = docstring.partition("\n\n")
    items: list[str] = []
    for line in rest.splitlines():
        match = re.match(r"([a-z_]+(?:, [a-z_]+)*): (.*)", line)
        if match:
            items.append(f"- `{match[1].replace(', ', '`, `')}`: {match[2]}")
        elif items:
            items[-1] += f" {line}"
    return "\n".join([title, "", *items])


def python_page() -> str:
    """The public names of the package with their docstrings."""
    parts = [
        "# Python\n",
        "What `import edgekws` offers. [Your own network](../how-to/own-network.md) shows it in use.\n",
    ]
    for name in sorted(api.__all__):
        value = vars(api).get(name)  # not getattr, which would import PyTorch
        if not callable(value):
            continue
        try:
            signature = str(inspect.signature(value))
        except (TypeError, ValueError):
            signature = ""
        text = inspect.cleandoc(value.__doc__ or "")
        parts.append(f"## edgekws.{name}\n\n```text\n{name}{_short(signature)}\n```\n\n```text\n{text}\n```\n")
    return "\n".join(parts)


def _short(signature: str) -> str:
    """Without the packages of types, and without quotes around them."""
    return re.sub(r"(?:\w+\.)+(\w+)", r"\1", signature).replace("'", "")


def models_page(name: str) -> str:
    """The card of a released model."""
    return Path(ROOT / "models" / name / "card.md").read_text()
