"""Mistakes in the words of a command line, said as every other error: one paragraph, exit code 2."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from edgekws.cli import commands
from edgekws.errors import EdgeKwsError, UsageError, constraint, unknown


def require_values(arguments: Sequence[str]) -> None:
    """Raises UsageError for an empty argument: an unset variable of a shell or Makefile leaves one."""
    for number, argument in enumerate(arguments):
        option = arguments[number - 1] if number and arguments[number - 1].startswith("--") else ""
        name, equals, value = argument.partition("=")
        if argument.strip() and not (name.startswith("--") and equals and not value.strip()):
            continue
        what = name if name.strip() else option or "an argument"
        hint = "give a value, or leave it out; a variable of the shell may be unset"
        raise UsageError(f"{what} should have a value", got="nothing", hint=hint)


def is_help(error: Exception) -> bool:
    """Whether this is a group of commands without any, whose help has just been printed."""
    return type(error).__name__ == "NoArgsIsHelpError"


def require_command(path: str, words: Sequence[str], known: Iterable[str]) -> None:
    """Raises UsageError for a command that does not exist. path: of the group, as typed."""
    names = {name for name in known if name not in _HIDDEN}
    if words and words[0] not in names | _HIDDEN and not words[0].startswith("-"):
        expected = unknown("the command", f"{path} {words[0]}", [f"{path} {name}" for name in names])
        raise UsageError(expected.partition(" There are:")[0], hint=f"{path} --help lists the commands")


_HIDDEN = {
    command.name
    for group in (commands.ROOT, commands.DATA, commands.SELECT)
    for command in group.commands
    if command.hidden
}


def explained(error: Exception) -> EdgeKwsError | None:
    """The error for one of the parser of the command line; None for any other.

    Click's classes are known by their names: Typer carries a copy of them, whose place has changed between versions.
    """
    names = {kind.__name__ for kind in type(error).__mro__}
    context: Any = getattr(error, "ctx", None)
    hint = f"see {context.command_path} --help" if context is not None else "see edgekws --help"
    if "NoSuchOption" in names:
        return UsageError(*_no_option(str(getattr(error, "option_name", "")), context), hint=hint)
    if "BadOptionUsage" in names:
        takes_none = "does not take a value" in str(getattr(error, "message", ""))
        option = getattr(error, "option_name", "an option")
        return UsageError(f"{option} should have {'no' if takes_none else 'a'} value", hint="see edgekws --help")
    if "MissingParameter" in names:
        return UsageError(f"{_name_of(error)} is missing", hint=hint)
    if "BadParameter" in names:
        return UsageError(f"{_name_of(error)} should be {_wanted(error)}", got=_given(error), hint=hint)
    if "ClickException" in names:
        message = str(getattr(error, "message", error))
        return UsageError(_in_words(message), hint=_model_option(message, context) or hint)
    return None


def _no_option(name: str, context: Any) -> tuple[str]:  # noqa: ANN401 (Click's context)
    """The sentence about an option that this command does not have."""
    known = [option for parameter in context.command.params for option in parameter.opts if option.startswith("--")]
    expected = unknown("the option", name, known).partition(" There are:")[0]
    others = "" if "did you mean" in expected else ", ".join(_commands_with(name))
    arguments = {parameter.name for parameter in context.command.params if not parameter.opts[0].startswith("--")}
    if name.removeprefix("--").replace("-", "_") in arguments:
        return (f"{context.command_path} takes {name.removeprefix('--').upper()} without an option's name",)
    if others:
        return (f"{context.command_path} has no option {name}; these commands have it: {others}",)
    return (expected,)


def _commands_with(option: str) -> list[str]:
    """The commands that have an option of this name; imports the modules of all."""
    spelled = re.compile(rf"(?<![\w-]){re.escape(option)}(?![\w-])")
    having = []
    for group in (commands.ROOT, commands.DATA, commands.SELECT):
        for command in group.commands:
            module, _, function = command.function.partition(":")
            signature = inspect.signature(getattr(importlib.import_module(module), function), eval_str=False)
            texts = [f"--{name.replace('_', '-')} {one.annotation}" for name, one in signature.parameters.items()]
            if not command.hidden and any(spelled.search(text) for text in texts):
                having.append(command.name if group is commands.ROOT else f"{group.name} {command.name}")
    return having


def _name_of(error: Exception) -> str:
    """The option as it is typed, or the name of the argument in capitals."""
    parameter: Any = getattr(error, "param", None)
    if parameter is None:
        return "an argument"
    long = [option for option in parameter.opts if option.startswith("--")]
    return long[0] if long else str(parameter.name).upper()


def _wanted(error: Exception) -> str:
    details = _details(error)
    return constraint(details) if details else str(getattr(error, "message", error)).rstrip(".")


def _given(error: Exception) -> str:
    return str((_details(error) or {}).get("input", ""))[:60]


def _details(error: Exception) -> dict[str, Any] | None:
    """pydantic's first error, where the parser checked the value with it."""
    listed: Any = getattr(error.__cause__, "errors", None)
    return listed()[0] if callable(listed) else None


def _in_words(message: str) -> str:
    extra = _extra(message)
    return f"this command takes no argument {extra}" if extra else message[:1].lower() + message[1:]


def _extra(message: str) -> str:
    """The arguments, as typed, that a command does not take."""
    found = re.fullmatch(r"Got unexpected extra arguments? ?(?:\(s\) )?\((.*)\)", message)
    return found[1] if found else ""


def _model_option(message: str, context: Any) -> str:  # noqa: ANN401 (Click's context)
    """What to type where a model was given as an argument and the command has an option for it; "" otherwise."""
    from edgekws import models

    word = _extra(message)
    options = {option for parameter in context.command.params for option in parameter.opts} if context else set()
    option = next((name for name in ("--recipe", "--out") if name in options), "")
    is_model = word in models.names() or bool(word and (Path(word) / models.GRAPH).is_file())
    return f"{context.command_path} {option} {word}" if option and is_model else ""
