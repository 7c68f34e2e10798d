"""The renderings of a report against report.json: report.md, and report.html with its drawings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from edgekws._version import __version__
from edgekws.errors import ArtifactError
from edgekws.report import attached, page_of
from edgekws.report.markdown import to_markdown
from edgekws.report.session_check import Finding

_DRAWING = re.compile(r"<svg .*?</svg>", re.DOTALL)
_TAG = re.compile(r"<\s*([^\s>/!]+)")


def drawn_by() -> str:
    """The version of Matplotlib that draws a page here; "" without it."""
    try:
        return version("matplotlib")
    except PackageNotFoundError:
        return ""


def findings(folder: Path, report: Mapping[str, Any], written: Mapping[str, Any]) -> Iterator[Finding]:
    """Findings about both files. report: report.json; written: manifest.json. A run may be without a page."""
    for name in ("report.md", "report.html"):
        what = f"{name}: follows from report.json"
        try:
            content = (folder / name).read_text("utf-8")
        except FileNotFoundError:  # a missing report.md is found by the list of files
            continue
        except (OSError, ValueError) as error:
            yield Finding("error", what, str(error))
            continue
        is_page = name == "report.html"
        finding = _page(what, content, folder, report, written) if is_page else _markdown(what, content, report)
        other = finding.level == "error" and report["edgekws"] != __version__
        yield Finding("warning", what, f"not checked: written by edgekws {report['edgekws']}") if other else finding


def _markdown(what: str, content: str, report: Mapping[str, Any]) -> Finding:
    same = content == to_markdown(dict(report))
    return Finding("ok" if same else "error", what, "word for word" if same else "another text")


def _page(what: str, content: str, folder: Path, report: Mapping[str, Any], written: Mapping[str, Any]) -> Finding:
    """Byte for byte; where another Matplotlib drew the plots, everything but these."""
    try:
        again = page_of(dict(report), attached.read(folder))
    except ArtifactError as error:
        return Finding("error", what, str(error))
    if again is None:
        return Finding("warning", what, 'not checked: it needs pip install "edgekws[report]"')
    if content == again:
        return Finding("ok", what, "byte for byte, with its plots")
    if _DRAWING.sub("<svg>", content) != _DRAWING.sub("<svg>", again):
        return Finding("error", what, f"another text or style than edgekws {__version__} renders")
    drawings, ours = _DRAWING.findall(content), _DRAWING.findall(again)
    if written["versions"].get("matplotlib") == drawn_by() or _tags(drawings) - _tags(ours):
        return Finding("error", what, "its text, but other plots")
    return Finding("warning", what, "its text word for word; the plots are not checked: another Matplotlib drew them")


def _tags(drawings: list[str]) -> set[str]:
    return {tag.lower() for drawing in drawings for tag in _TAG.findall(drawing)}
