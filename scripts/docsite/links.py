"""Links between pages. In the sources they lead through the repository, on the site through its pages.

A page of docs/ keeps its path on the site. Some files of the repository have a copy there (`COPIES`). Any other file
of the repository has no place on the site: the text of such a link stays, and the link goes.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parents[2]
COPIES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "CHANGELOG.md": "changelog.md",
    **{
        f"models/{name}/card.md": f"models/{name}.md"
        for name in ("dscnn", "dsresnet", "tcresnet", "dscnn_mlperf", "dscnn_stream")
    },
}
"""File of the repository -> page of the site."""
LINK = re.compile(r"(?P<picture>!?)\[(?P<text>[^]\n]*)\]\((?P<to>[^)\s]+)\)")
_FENCE = re.compile(r"^ *```.*?^ *```[ \t]*$", re.DOTALL | re.MULTILINE)


def outside_of_code(text: str) -> str:
    """The text without its code blocks and without `code`, whose brackets are no links."""
    return re.sub(r"`[^`\n]*`", "", _FENCE.sub("", text))


def is_external(link: str) -> bool:
    """Whether it leads to another host."""
    return re.match(r"[a-z]+:", link) is not None


def resolved(source: str, link: str) -> tuple[str, str]:
    """(file, anchor) that a link leads to. source: the file that has it; both from the root of the repository."""
    path, _, anchor = link.partition("#")
    folder = PurePosixPath(source).parent
    return os.path.normpath(folder / path) if path else source, anchor


def on_site(path: str) -> str | None:
    """The page or picture of the site that a file of the repository is; None when it has no place there."""
    return path.removeprefix("docs/") if path.startswith("docs/") else COPIES.get(path)


def rewrite(text: str, source: str, page: str) -> str:
    """The Markdown of a page of the site. source: its file in the repository; page: its path on the site."""

    def moved(match: re.Match[str]) -> str:
        if is_external(match["to"]):
            return match[0]
        path, anchor = resolved(source, match["to"])
        target = on_site(path)
        if target is None:
            return match["text"]
        place = os.path.relpath(target, PurePosixPath(page).parent)
        return f"{match['picture']}[{match['text']}]({place}{'#' * bool(anchor)}{anchor})"

    return LINK.sub(moved, text)


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as the site and GitHub make them; of equal ones the second gets `_1`."""
    headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", text), re.MULTILINE)
    made: set[str] = set()
    for heading in headings:
        plain = re.sub(r"[^\w\s-]", "", LINK.sub(r"\g<text>", heading).lower()).strip()
        slug = re.sub(r"[-\s]+", "-", plain)
        made.add(slug if slug not in made else f"{slug}_1")
    return made


def broken(pages: dict[str, str], files: Iterable[str]) -> list[str]:
    """ "page: link" of every link that leads nowhere. pages: path from the root -> Markdown; files: other targets."""
    targets, known = {path: anchors(text) for path, text in pages.items()}, set(files)
    problems = []
    for page, text in pages.items():
        for match in LINK.finditer(outside_of_code(text)):
            if is_external(match["to"]):
                continue
            path, anchor = resolved(page, match["to"])
            if path not in targets and path not in known and not (ROOT / path).exists():
                problems.append(f"{page}: {match['to']}")
            elif anchor and anchor not in targets.get(path, set()):
                problems.append(f"{page}: {match['to']} (no such heading)")
    return problems
