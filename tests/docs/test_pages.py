"""Pages lead somewhere, and their commands exist: what can be known about the documentation without running it."""

from __future__ import annotations

import ast
import re
import tomllib
from functools import cache
from typing import Annotated, Literal

import pytest
from pydantic import Field

from edgekws import errors
from edgekws.recipe import Recipe
from scripts.docsite import cli, links, pages, reference, source
from tests.docs.blocks import DATA, HOME, PAGES, RUN, Block, arguments, blocks, commands

BLOCKS = [block for page in PAGES for block in blocks(page)]
MAKEFILE = (HOME / "Makefile").read_text()


@cache
def generated():
    return {f"docs/{path}": text for path, text in pages.generated().items()}


def test_links_lead_to_pages_and_headings():
    copies = [f"docs/{page}" for page in links.COPIES.values()]
    assert links.broken({**pages.written(), **generated()}, copies) == []


def test_a_broken_link_is_noticed():
    pages_ = {"docs/a.md": "# One\n[x](b.md) [y](#one) [z](#two) `[c](d.md)`\n", "docs/b.md": ""}
    assert links.broken(pages_, []) == ["docs/a.md: #two (no such heading)"]
    assert links.broken({"docs/a.md": "[x](gone.md)"}, []) == ["docs/a.md: gone.md"]


def test_links_are_led_to_the_pages_of_the_site():
    text = "[a](docs/how-to/bench.md#modes) [b](LICENSE) [c](https://x.example) ![d](docs/images/d.svg)"
    assert links.rewrite(text, "README.md", "index.md") == (
        "[a](how-to/bench.md#modes) b [c](https://x.example) ![d](images/d.svg)"
    )
    assert links.rewrite("[a](../../SECURITY.md)", "docs/how-to/x.md", "how-to/x.md") == "[a](../security.md)"


def test_every_page_is_in_the_menu():
    menu = re.findall(r": ([\w/-]+\.md)$", (HOME / "mkdocs.yml").read_text(), re.MULTILINE)
    written = [path.relative_to(HOME / "docs").as_posix() for path in (HOME / "docs").rglob("*.md")]
    there = [*written, *links.COPIES.values(), *(path.removeprefix("docs/") for path in generated())]
    assert sorted(menu) == sorted(there)


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_a_block_says_what_it_is(block: Block):
    """Its language, and if it is not run why."""
    assert block.language in (*RUN, *DATA)
    assert re.fullmatch(r"|not run: .+|run with: .+|fails with \d+", block.mark), block.mark
    if block.language == "python":
        ast.parse(block.content)
    if block.language == "toml" and set(table := tomllib.loads(block.content)) <= set(Recipe.model_fields):
        Recipe.model_validate(table)


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.language == "sh"], ids=str)
def test_the_commands_of_a_block_exist(block: Block):
    for words in commands(block.script()):
        given = arguments(words)
        problem = _problem(given) if given is not None else _other(words)
        if block.exit_code != 2:
            assert not problem, f"{block}: {problem}"


def _problem(words):
    """Why edgekws would not take these arguments; "" when it would."""
    path = []
    while words and not words[0].startswith("-"):
        try:
            inner, _ = cli.command((*path, words[0]))
        except KeyError:
            return f"there is no command {' '.join([*path, words[0]])}"
        path, words = [*path, words[0]], words[1:]
        if not hasattr(inner, "commands"):
            return _options_problem(inner, words)
    root, context = cli.command(tuple(path))
    return _options_problem(root, words, context)


def _options_problem(command, words, context=None):
    context = context or cli.command(())[1]
    options = {name: param for param in command.get_params(context) for name in (*param.opts, *param.secondary_opts)}
    places = [param for param in command.params if param.param_type_name == "argument"]
    others = 0
    while words:
        word, *words = words
        name, equals, _ = word.partition("=")
        if not word.startswith("-") or word == "-":
            others += 1
        elif name not in options:
            return f"{command.name} has no option {name}"
        elif not options[name].is_flag and not equals:
            words = words[1:]
    limited = all(param.nargs > 0 for param in places)
    return f"{command.name} takes {len(places)} arguments" if limited and others > len(places) else ""


def _other(words):
    """The same for programs that this repository has a say in."""
    program, *rest = words
    if program == "make":
        targets = [word for word in rest if "=" not in word]
        return "".join(f"no target {name}" for name in targets if not re.search(rf"^{name}:", MAKEFILE, re.MULTILINE))
    if program.endswith("python") and rest and rest[0].endswith(".py") and "/" in rest[0]:
        return "" if (HOME / rest[0]).exists() else f"no script {rest[0]}"
    extras = re.findall(r"edgekws\[([\w,]+)\]", " ".join(rest)) if program == "pip" else []
    known = {*errors.EXTRAS, "meters", "trackers", "all", "dev", "docs"}
    return "".join(f"no extra {name}" for names in extras for name in names.split(",") if name not in known)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("edgekws trian", "no command trian"),
        ("edgekws train --epoch 3", "no option --epoch"),
        ("edgekws data prepare --root=x", ""),
        ("torchrun --nproc-per-node 2 -m edgekws train --sed 3", "no option --sed"),
        ("make trian", "no target trian"),
        ("A=b edgekws bench --out x | head  # edgekws nothing", ""),
    ],
)
def test_a_command_that_does_not_exist_is_noticed(line, problem):
    for words in commands(line):
        given = arguments(words)
        message = _problem(given) if given is not None else _other(words)
        assert problem in message and bool(problem) == bool(message)


def test_the_reference_has_every_command_and_every_key():
    text = "".join(generated().values())
    assert not [words for _, words in cli.names() if f"## edgekws {' '.join(words)}\n" not in text]
    sections = [
        field.annotation for field in Recipe.model_fields.values() if hasattr(field.annotation, "__annotations__")
    ]
    keys = [*Recipe.model_fields, *(key for section in sections for key in section.__annotations__)]
    page = generated()["docs/reference/recipe.md"]
    assert not [
        key for key in keys if f"`{key}`" not in page and f"[{key}]" not in page and not key.startswith("model_")
    ]


@pytest.mark.parametrize("section", Recipe.model_fields)
def test_each_key_of_a_recipe_has_a_meaning(section):
    model = reference.section_of(section)
    assert not [key.name for key in (source.keys(model) if model else []) if not key.text]


class Example:
    """A class whose fields the reference could show."""

    count: int = Field(3, ge=1, le=9)
    """How many."""
    share: Annotated[float, Field(gt=0)] = 0.5
    width: Literal[8, 4] | None = None
    names: tuple[str, ...] = Field(default_factory=tuple)
    table: dict[str, int]


def test_the_reference_reads_types_limits_defaults_and_meanings_from_the_source():
    assert source.keys(Example) == [
        source.Key("count", "integer, >= 1, <= 9", "3", "How many."),
        source.Key("share", "number, > 0", "0.5", ""),
        source.Key("width", "8 or 4 or absent", "None", ""),
        source.Key("names", "list of strings", "()", ""),
        source.Key("table", "table of integers", "", ""),
    ]


def test_troubleshooting_has_every_exit_code():
    page = (HOME / "docs" / "troubleshooting.md").read_text()
    codes = {kind.exit_code for kind in vars(errors).values() if isinstance(kind, type) and hasattr(kind, "exit_code")}
    assert not [code for code in codes - {1} if not re.search(rf"^\|.*\b{code}\b", page, re.MULTILINE)]
    assert not [code for code in codes - {1} if not re.search(rf"^## .*\b{code}\b", page, re.MULTILINE)]


def test_the_page_of_the_protocol_has_every_command_of_the_firmware():
    source = (HOME / "firmware_io" / "firmware" / "app" / "clip_commands.c").read_text()
    names = re.findall(r'^    \{"(\w+)", ', source, re.MULTILINE)
    page = (HOME / "docs" / "reference" / "protocol.md").read_text()
    assert len(names) > 10 and not [name for name in names if f"| `{name}" not in page]


def test_the_picture_of_the_readme_is_small():
    assert (HOME / "docs" / "images" / "report.png").stat().st_size <= 60_000
