"""The help of a group of commands, in boxes as typer draws them.

typer's own drawing imports Markdown and syntax highlighting, which takes longer than all the rest of `edgekws --help`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text
from typer.core import TyperGroup

_CODE = re.compile(r"`([^`]+)`")


def show(group: TyperGroup, ctx: Any, epilog: str) -> None:  # noqa: ANN401 (Click's context, which typer does not export)
    """Print usage, text, options and the commands by their panels."""
    console = Console(highlight=False, emoji=False)
    console.print(Padding(Text(group.get_usage(ctx), "bold"), 1))
    console.print(Padding(_text(group.help or ""), (0, 1, 1, 1)))
    options = [record for param in group.get_params(ctx) if (record := param.get_help_record(ctx)) is not None]
    console.print(_panel("Options", options))
    width = max(map(len, group.commands))
    for title, rows in _panels(group).items():
        console.print(_panel(title, rows, width))
    if epilog:
        console.print(Padding(_text(epilog), 1))


def _panels(group: TyperGroup) -> dict[str, list[tuple[str, str]]]:
    """Title -> (name, line) of each command, in the order of the group."""
    panels: dict[str, list[tuple[str, str]]] = {}
    for name, command in group.commands.items():
        if not command.hidden:
            title = getattr(command, "rich_help_panel", None) or "Commands"
            panels.setdefault(title, []).append((name, (command.help or "").partition("\n\n")[0]))
    return panels


def _panel(title: str, rows: Iterable[tuple[str, str]], width: int = 0) -> Panel:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(min_width=width, style="bold cyan", no_wrap=True)
    table.add_column(overflow="fold")
    for name, line in rows:
        table.add_row(name, _text(line))
    return Panel(table, title=title, title_align="left", border_style="dim")


def _text(text: str) -> Text:
    """`code` of Markdown becomes bold; nothing else of it is used in these texts."""
    shown, end = Text(), 0
    for match in _CODE.finditer(text):
        shown.append(text[end : match.start()]).append(match[1], "bold cyan")
        end = match.end()
    return shown.append(text[end:])
