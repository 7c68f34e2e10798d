"""What stands in the repository beside the code agrees with it: hooks, fragments of the changelog, links."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from edgekws import plugins

HOME = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((HOME / "pyproject.toml").read_text())
FRAGMENTS = sorted(path for path in (HOME / "changes").iterdir() if path.name != "template.md.j2")
PAGES = sorted([*HOME.glob("*.md"), *HOME.glob("docs/**/*.md"), *HOME.glob("models/*/*.md")])


def recipe(target):
    """The commands of a Makefile target, split at &&."""
    lines = (HOME / "Makefile").read_text().partition(f"\n{target}:")[2].splitlines()[1:]
    commands = []
    for line in lines:
        if not line.startswith("\t"):
            break
        commands += [command.strip() for command in line.removeprefix("\t").lstrip("@").split("&&")]
    return commands


def test_hooks_run_the_commands_of_make_lint():
    """They run from the environment that requirements/constraints.txt pins, so there is one version of each linter."""
    hooks = (HOME / ".pre-commit-config.yaml").read_text()
    entries = re.findall(r"^ +entry: (.+)$", hooks, re.MULTILINE)
    linters = [command.removesuffix(" .") for command in recipe("lint")]
    assert [entry for entry in linters if entry.startswith(".venv/bin/")] == entries
    assert re.findall(r"^ +language: (.+)$", hooks, re.MULTILINE) == ["system"] * len(entries)


def test_linters_have_a_pinned_version():
    pinned = (HOME / "requirements" / "constraints.txt").read_text()
    for linter in ("ruff", "mypy"):
        assert re.search(rf"^{linter}==[\d.]+$", pinned, re.MULTILINE), linter


def test_the_workflow_runs_what_a_maintainer_runs():
    workflow = (HOME / ".github" / "workflows" / "ci.yml").read_text()
    runs = re.findall(r"^ +- run: (.+)$", workflow, re.MULTILINE)
    assert runs == [".ci/run"]
    assert (HOME / ".ci" / "run").stat().st_mode & 0o100


@pytest.mark.parametrize("path", FRAGMENTS, ids=lambda path: path.name)
def test_a_fragment_of_the_changelog_has_a_known_type_and_a_sentence(path):
    types = [row["directory"] for row in PROJECT["tool"]["towncrier"]["type"]]
    assert re.fullmatch(rf"[a-z0-9-]+\.({'|'.join(types)})\.md", path.name)
    assert path.read_text().strip().endswith(".")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(HOME)))
def test_no_page_names_a_folder_of_one_machine(page):
    assert not re.search(r"(?<!\w)/(home|Users)/\w+", page.read_text())


def test_the_guide_has_a_row_for_each_kind_of_plugin():
    """With the place where the kind lives."""
    rows = re.findall(r"^\| [^|]+ \| `(\w+)` \| ([^|]+) \|", (HOME / "CONTRIBUTING.md").read_text(), re.MULTILINE)
    assert sorted(kind for kind, _ in rows) == sorted(plugins.KINDS)
    for kind, place in rows:
        for home in plugins.KINDS[kind].homes:
            assert f"`{home.replace('.', '/')}/x" in place, kind


@pytest.mark.parametrize("package", ["edgekws", "firmware_io"])
def test_the_guide_says_what_each_folder_is_for(package):
    guide = (HOME / "CONTRIBUTING.md").read_text()
    folders = [path.parent.name for path in (HOME / package).glob("*/__init__.py")]
    assert folders
    assert not [name for name in folders if f"`{package}/{name}`" not in guide]


def test_the_readme_is_a_front_page():
    assert len((HOME / "README.md").read_text().splitlines()) <= 120
