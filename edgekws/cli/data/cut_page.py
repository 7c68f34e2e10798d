"""A page with the waveform of each long recording and where it was cut."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edgekws.files import write_text

if TYPE_CHECKING:
    import numpy as np

    from edgekws.data.cuts import Cut

_MOST_FILES, _WIDTH, _HEIGHT = 200, 900, 70
_STYLE = (
    "body{font:14px system-ui,sans-serif;margin:1em auto;max-width:920px;padding:0 .5em;color:#222;background:#fff}"
    "svg{width:100%;height:auto;background:#f4f4f4}h2{font-size:1em;margin:1.2em 0 .2em}"
    "@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}svg{background:#262626}}"
)


def write(table: Path, root: Path, page: Path) -> int:
    """Draw the recordings below `root` that the table of cuts lists; returns how many.

    Raises DataError for a table or a recording that cannot be read, ArtifactError when the page cannot be written.
    """
    from edgekws.data import audio, cuts
    from edgekws.data.listing import RATE_HZ

    rows = cuts.read(table)
    rows = {name: of_file for name, of_file in rows.items() if (root / name).is_file()}
    shown = list(rows.items())[:_MOST_FILES]
    parts = [f"<h1>Cuts of {html.escape(root.resolve().name)}</h1>", f"<p>{_LEGEND}</p>"]
    for name, of_file in shown:
        parts.append(_figure(name, audio.read(root / name, RATE_HZ), RATE_HZ, of_file))
    if len(rows) > len(shown):
        parts.append(f"<p>{len(rows) - len(shown):,} more recordings are in {html.escape(table.name)}.</p>")
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><style>{_STYLE}</style>'
    write_text(page, f"<!doctype html><html lang=en><title>Cuts</title>{head}{''.join(parts)}</html>\n")
    return len(shown)


_LEGEND = (
    "Green: the clip that is kept, with the sound found in darker green. Red: set aside. Edit cuts.csv to change it."
)


def _figure(name: str, samples: np.ndarray, rate_hz: int, of_file: Sequence[Cut]) -> str:
    from edgekws.data import utterances

    places = [(cut.start_ms * rate_hz // 1000, cut.end_ms * rate_hz // 1000) for cut in of_file]
    clips = utterances.windows(places, len(samples), rate_hz)
    scale = _WIDTH / max(1, len(samples))
    marks = []
    for cut, place, clip in zip(of_file, places, clips, strict=True):
        what = html.escape(f"{cut.start_ms} to {cut.end_ms} ms {cut.note}")
        color = "#2a8" if cut.keep else "#c55"
        if cut.keep:
            marks.append(_area(*clip, scale, color, 0.25, "clip"))
        marks.append(_area(*place, scale, color, 0.35, what))
    kept = sum(cut.keep for cut in of_file)
    title = f"{html.escape(name)}: {len(samples) / rate_hz:.1f} s, {kept} of {len(of_file)} sounds kept"
    wave = f'<path d="{_wave(samples)}" stroke="#567" fill="none"/>'
    return f'<h2>{title}</h2><svg viewBox="0 0 {_WIDTH} {_HEIGHT}">{"".join(marks)}{wave}</svg>'


def _area(start: int, stop: int, scale: float, color: str, opacity: float, title: str) -> str:
    size = f'x="{start * scale:.1f}" width="{max(1.0, (stop - start) * scale):.1f}" height="{_HEIGHT}"'
    return f'<rect {size} fill="{color}" opacity="{opacity}"><title>{title}</title></rect>'


def _wave(samples: np.ndarray) -> str:
    """The lowest and the highest sample of each column, relative to the loudest of the recording."""
    import numpy as np

    peak = max(1, int(np.abs(samples.astype(np.int32)).max()))
    columns = np.array_split(samples, min(_WIDTH, len(samples)))
    middle = _HEIGHT / 2
    lines = (
        f"M{x} {middle - middle * int(each.max()) / peak:.1f}V{middle - middle * int(each.min()) / peak:.1f}"
        for x, each in enumerate(columns)
    )
    return "".join(lines)
