"""The code blocks of the pages, and what the comment above each says about running it.

<!-- not run: REASON -->              its commands are only parsed
<!-- run with: COMMAND OPTIONS -->    these options are added to `edgekws COMMAND`, to be faster; several with ;
<!-- fails with N -->                 the block ends with this exit code
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

HOME = Path(__file__).resolve().parents[2]
PAGES = [HOME / "README.md", HOME / "CONTRIBUTING.md", *sorted((HOME / "docs").rglob("*.md"))]
RUN = ("sh", "python")
DATA = ("text", "toml", "yaml", "c")
_BLOCK = re.compile(
    r"(?:^<!-- (?P<mark>[^\n]*?) -->\n)?^```(?P<language>[^\n]*)\n(?P<content>.*?)^```[ \t]*$", re.DOTALL | re.MULTILINE
)
_HERE = re.compile(r"<<'?(\w+)'?[^\n]*\n.*?^\1$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """line: of its first line in the page."""

    page: Path
    line: int
    language: str
    content: str
    mark: str = ""

    @property
    def is_run(self) -> bool:
        return self.language in RUN and not self.mark.startswith("not run: ")

    @property
    def exit_code(self) -> int:
        return int(self.mark.removeprefix("fails with ")) if self.mark.startswith("fails with ") else 0

    def script(self) -> str:
        """The block with the options that its mark adds."""
        text = self.content
        if self.mark.startswith("run with: "):
            for each in self.mark.removeprefix("run with: ").split("; "):
                command, options = re.fullmatch(r"([a-z -]*?[a-z]) (--.*)", each).groups()
                text, count = re.subn(rf"\bedgekws {command}\b", f"edgekws {command} {options}", text)
                assert count, f"{self}: no edgekws {command} in it"
        return text

    def __str__(self) -> str:
        return f"{self.page.relative_to(HOME)}:{self.line}"


def blocks(page: Path) -> list[Block]:
    text = page.read_text()
    return [
        Block(
            page,
            text[: match.start("content")].count("\n") + 1,
            match["language"],
            match["content"],
            match["mark"] or "",
        )
        for match in _BLOCK.finditer(text)
    ]


def commands(script: str) -> list[list[str]]:
    """The words of each command of a shell script, without what it reads from the script itself."""
    joined = _HERE.sub("", script.replace("\\\n", " "))
    made: list[list[str]] = []
    for line in joined.splitlines():
        words: list[str] = []
        lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;()<>")
        lexer.commenters, lexer.whitespace_split = "#", True
        for word in lexer:
            if set(word) <= set("|&;()"):
                made, words = [*made, words], []
            else:
                words.append(word)
        made.append(words)
    return [words for words in map(_without_settings, made) if words]


def _without_settings(words: list[str]) -> list[str]:
    """Without NAME=VALUE before the program, and without what redirects."""
    while words and re.match(r"\w+=", words[0]):
        words = words[1:]
    for number, word in enumerate(words):
        if word and set(word) <= set("<>"):
            return words[:number]
    return words


def arguments(words: list[str]) -> list[str] | None:
    """The arguments of edgekws in a command; None for another program."""
    if Path(words[0]).name == "edgekws":
        return words[1:]
    for number, word in enumerate(words[:-1]):
        if word == "-m" and words[number + 1] == "edgekws":
            return words[number + 2 :]
    return None
