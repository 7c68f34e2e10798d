"""The pages about the commands, from the commands' own help."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer
from typer._click.core import Context  # typer brings its own Click and exports no context

from edgekws.cli import app
from edgekws.cli.commands import BOARDS, LINE, TOOLS, TRACK

PANELS = {LINE: "line", BOARDS: "boards", TRACK: "track", TOOLS: "tools"}
"""Title of a panel of `edgekws --help` -> the page cli-<name>.md."""
_INTRODUCTION = """Made from the program itself: `edgekws COMMAND --help` says the same. An option in brackets has a
default. Every error is one paragraph and has [an exit code](exit-codes.md)."""


def command(words: tuple[str, ...]) -> tuple[Any, Any]:
    """(command, context) of `edgekws words...`, its module imported. Raises KeyError for one that does not exist."""
    here: Any = typer.main.get_command(app)
    context = Context(here, info_name="edgekws")
    for word in words:
        here = here.commands[word]
        here = here.loaded() if hasattr(here, "loaded") else here
        context = Context(here, info_name=word, parent=context)
    return here, context


def names() -> Iterator[tuple[str, tuple[str, ...]]]:
    """(panel, words) of every command that the help shows."""
    root, _ = command(())
    for name, entry in root.commands.items():
        inner = getattr(entry, "commands", None)
        if inner is None and not entry.hidden:
            yield entry.rich_help_panel, (name,)
        elif inner is not None:
            panel = next(group for group in (LINE, TRACK) if group == entry.rich_help_panel)
            yield from ((panel, (name, word)) for word, each in inner.items() if not each.hidden)


def pages() -> dict[str, str]:
    """reference/cli-<panel>.md of each panel."""
    made = {}
    for title, name in PANELS.items():
        parts = [
            _section(words) for panel, words in sorted(names(), key=lambda one: one[1][0] == "demo") if panel == title
        ]
        made[f"reference/cli-{name}.md"] = f"# Commands: {title}\n\n{_INTRODUCTION}\n\n" + "\n".join(parts)
    return made


def _section(words: tuple[str, ...]) -> str:
    entry, context = command(words)
    called = " ".join(("edgekws", *words))
    usage = " ".join([called, *entry.collect_usage_pieces(context)])
    lines = [f"## {called}", "", f"```text\n{usage}\n```", "", _text(entry.help), ""]
    records = [(param, param.get_help_record(context)) for param in entry.get_params(context)]
    arguments = [param for param, record in records if param.param_type_name == "argument"]
    lines += [f"- `{param.name.upper()}`: {_cell(param.help or '')}" for param in arguments]
    rows = [record for param, record in records if record and param.param_type_name == "option"]
    lines += ["", "| option | what it does |", "|---|---|", *(f"| `{left}` | {_cell(right)} |" for left, right in rows)]
    return "\n".join([*lines, ""])


def _text(text: str | None) -> str:
    """Help as Markdown; \\f ends what the help shows."""
    return (text or "").partition("\f")[0].strip()


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
