"""Lists of commands cost little: the module of a command is imported when it runs, or shows its own help."""

from __future__ import annotations

import importlib
import inspect
import json
import subprocess
import sys

import pytest

from edgekws.cli import commands

MODULES_AT_MOST = 260
"""Bare Python has some 60; typer, its help and rich bring the rest; typer loads pydantic for a group."""
HEAVY = {"numpy", "torch", "matplotlib", "pyarrow", "sklearn", "onnx"}
ENTRIES = [entry for group in (commands.ROOT, commands.DATA, commands.SELECT) for entry in group.commands]
GROUPS = [[], ["data"], ["select"]]


def loaded_by(arguments: list[str]) -> set[str]:
    """The modules that are there after `edgekws ARGUMENTS`."""
    code = (
        "import atexit, json, sys\n"
        "atexit.register(lambda: print(json.dumps(sorted(sys.modules)), file=sys.stderr))\n"
        f"sys.argv[1:] = {arguments!r}\n"
        "from edgekws.cli import main\nmain()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(done.stderr.splitlines()[-1]))


def own(modules: set[str]) -> set[str]:
    return {name for name in modules if name.partition(".")[0] in ("edgekws", "firmware_io")}


@pytest.mark.parametrize("group", GROUPS, ids=" ".join)
def test_a_list_of_commands_imports_none_of_them(group: list[str]) -> None:
    loaded = loaded_by([*group, "--help"])
    assert own(loaded) == {
        "edgekws",
        "edgekws._version",
        "edgekws.cli",
        "edgekws.cli._help",
        "edgekws.cli._lazy",
        "edgekws.cli.commands",
        "edgekws.cli.console",
        "edgekws.cli.paths",
        "edgekws.cli.signals",
        "edgekws.cli.usage",
        "edgekws.errors",
        "edgekws.machine",
    }
    assert not loaded & HEAVY
    assert group or len(loaded) <= MODULES_AT_MOST


def test_importing_the_package_imports_its_version_alone() -> None:
    code = "import sys; before = set(sys.modules); import edgekws; print(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) <= {"edgekws", "edgekws._version", "importlib", "typing", "__future__"} | {
        name for name in done.stdout.split() if name.partition(".")[0] in sys.stdlib_module_names
    }


@pytest.mark.parametrize("arguments", [["train"], ["bench"], ["select", "run"], ["embed"], ["data", "clean"]])
def test_the_help_of_a_command_imports_no_torch_and_no_numpy(arguments: list[str]) -> None:
    assert not loaded_by([*arguments, "--help"]) & HEAVY


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.function)
def test_a_line_of_the_list_is_the_first_line_of_the_docstring(entry: commands.Command) -> None:
    module, _, name = entry.function.partition(":")
    function = getattr(importlib.import_module(module), name)
    assert entry.help == (inspect.getdoc(function) or "").partition("\n")[0]


def test_every_command_stands_in_one_panel() -> None:
    panels = (commands.LINE, commands.BOARDS, commands.TRACK, commands.TOOLS)
    assert {entry.panel for entry in commands.ROOT.commands} <= set(panels)
    assert {group.panel for group in (commands.DATA, commands.SELECT)} <= set(panels)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "edgekws", *arguments], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("typed", "meant"), [(["bnch"], "bench"), (["select", "scor"], "score")])
def test_a_misspelled_command_is_guessed(typed: list[str], meant: str) -> None:
    done = run(*typed)
    assert done.returncode == 2 and "did you mean edgekws" in done.stderr and f"{meant}?" in done.stderr


def test_the_old_spelling_of_score_still_works() -> None:
    assert "Score a selection" in run("select", "eval", "--help").stdout


def test_the_version_is_printed() -> None:
    from edgekws import __version__

    assert run("--version").stdout == f"edgekws {__version__}\n"


def test_debug_shows_the_stack_trace_wherever_it_stands() -> None:
    for arguments in (["--debug", "check", "no-such.npz"], ["check", "no-such.npz", "--debug"]):
        assert "Traceback" in run(*arguments).stderr
    assert "Traceback" not in run("check", "no-such.npz").stderr
