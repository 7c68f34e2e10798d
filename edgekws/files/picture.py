"""A Matplotlib figure as an SVG file that scales, names itself and is legible on any page."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from edgekws.files import write_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SIZE = re.compile(r'(<svg [^>]*?)width="[\d.]+pt" height="[\d.]+pt"([^>]*>)', re.DOTALL)


def write_svg(figure: Figure, path: Path, title: str) -> None:
    """Write `figure` to `path`, atomically, with a white background and the same bytes each time.

    title: of the picture, for browsers and screen readers. The file has a viewBox and no size of its own, so that it
    takes the width that a page gives it. Raises ArtifactError when it cannot be written.
    """
    import matplotlib as mpl

    buffer = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": "edgekws"}):  # element names that do not change from run to run
        figure.savefig(buffer, format="svg", facecolor="white", metadata={"Date": None, "Title": title})
    named = f"<title>{escape(title)}</title>"
    write_text(path, _SIZE.sub(lambda match: f'{match[1]}role="img"{match[2]}\n {named}', buffer.getvalue(), count=1))
