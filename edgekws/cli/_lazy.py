"""Groups of commands whose modules are imported when a command runs, or shows its own help."""

from __future__ import annotations

import importlib
from typing import Any, Literal

import typer
from typer.core import TyperCommand, TyperGroup

from edgekws.cli import _help, paths, usage
from edgekws.cli.commands import Command, Group

MARKUP: Literal["markdown"] = "markdown"


class _Listed(TyperCommand):
    """A command as a list shows it. `loaded` gives the one that runs."""

    def __init__(self, entry: Command, settings: dict[str, Any]) -> None:
        panel = entry.panel or None
        super().__init__(entry.name, help=entry.help, hidden=entry.hidden, rich_help_panel=panel)
        self._entry, self._settings = entry, settings

    def loaded(self) -> Any:  # noqa: ANN401 (Click's command, which typer does not export)
        """Import the module of the command."""
        module, _, function = self._entry.function.partition(":")
        single = typer.Typer(rich_markup_mode=MARKUP, add_completion=False)
        register = single.command(self._entry.name, context_settings=self._settings, hidden=self._entry.hidden)
        register(paths.expanding(getattr(importlib.import_module(module), function)))
        return typer.main.get_command(single)


def group_class(group: Group) -> type[TyperGroup]:
    """The class of a group that lists the commands of `group` and imports each when it is called."""

    class LazyGroup(TyperGroup):
        def __init__(self, **options: Any) -> None:  # noqa: ANN401 (as typer passes them)
            super().__init__(**options)
            listed = {entry.name: _Listed(entry, group.settings) for entry in group.commands}
            self.commands = {**listed, **self.commands}

        def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401 (Click's types)
            usage.require_command(ctx.command_path, args, self.commands)
            name, command, rest = super().resolve_command(ctx, args)
            return name, command.loaded() if isinstance(command, _Listed) else command, rest

        def format_help(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401, ARG002 (Click's types)
            _help.show(self, ctx, self.epilog or "")

    return LazyGroup


def application(group: Group, **options: Any) -> typer.Typer:  # noqa: ANN401 (options of typer.Typer)
    """A typer application of the commands of `group`; others may be added."""
    return typer.Typer(
        name=group.name,
        cls=group_class(group),
        no_args_is_help=True,
        rich_markup_mode=MARKUP,
        help=group.help,
        context_settings=group.settings,
        **options,
    )
