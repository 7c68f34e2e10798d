"""MkDocs calls these while it builds the site: pages made from the code are added, links are led to the pages."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # MkDocs loads this file alone

from mkdocs.structure.files import File, Files

from scripts.docsite import pages
from scripts.docsite.links import rewrite


def on_files(files: Files, config: Any) -> Files:  # noqa: ANN401 (MkDocs' configuration, which has no types)
    """Add the copied and the generated pages."""
    for path, text in {**pages.copied(), **pages.generated()}.items():
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:  # noqa: ANN401 (MkDocs' page, which has no types)
    """Lead the links of a page in docs/ to pages of the site."""
    path = page.file.src_uri
    return markdown if page.file.generated_by else rewrite(markdown, f"docs/{path}", path)
