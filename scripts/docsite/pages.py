"""Every page of the site as Markdown: those in docs/, copies of files of the repository, and generated ones."""

from __future__ import annotations

from scripts.docsite import cli, reference
from scripts.docsite.links import COPIES, ROOT, rewrite


def written() -> dict[str, str]:
    """Path from the root of the repository -> Markdown of what people wrote: docs/ and the files that are copied."""
    paths = [*(ROOT / "docs").rglob("*.md"), *(ROOT / name for name in COPIES)]
    return {path.relative_to(ROOT).as_posix(): path.read_text() for path in sorted(paths)}


def generated() -> dict[str, str]:
    """Path on the site -> Markdown of the pages that are made from the code."""
    return {**cli.pages(), **reference.pages()}


def copied() -> dict[str, str]:
    """Path on the site -> Markdown of the files of the repository that have a page there."""
    return {page: rewrite((ROOT / source).read_text(), source, page) for source, page in COPIES.items()}
