"""Pictures of an evaluation, as files that stand alone."""

from __future__ import annotations

import io
import warnings

from edgekws.evaluation.figures import Evaluation

_CELL_IN = 0.45
_MARGIN_IN = 1.3


def confusion(result: Evaluation, title: str, kind: str) -> bytes:
    """The confusion table as a heat map: row = true label, column = answer, shade = share of the row.

    kind: "svg" or "png".
    """
    import matplotlib
    from matplotlib.figure import Figure

    table, labels = result.confusion, result.labels
    shares = table / table.sum(axis=1, keepdims=True).clip(min=1)
    side = _CELL_IN * len(labels) + _MARGIN_IN
    figure = Figure(figsize=(side + 0.3, side + 0.3), layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, counts in enumerate(table.tolist()):
        for column, count in enumerate(counts):
            if count:
                colour = "white" if shares[row, column] > 0.55 else "black"
                axes.text(column, row, str(count), ha="center", va="center", fontsize=8, color=colour)
    axes.set_xticks(range(len(labels)), labels, rotation=60, ha="right", rotation_mode="anchor", parse_math=False)
    axes.set_yticks(range(len(labels)), labels, parse_math=False)
    axes.set_xlabel("answer of the model")
    axes.set_ylabel("true label")
    axes.set_title(title, fontsize=10, parse_math=False)
    buffer = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "confusion"}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure.savefig(buffer, format=kind, dpi=150, metadata={"Date": None} if kind == "svg" else None)
    return buffer.getvalue()
