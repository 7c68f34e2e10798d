"""Curves of a network: its training, and what each threshold lets pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edgekws.report.svg import ACCENT, BAD, SOFT, WARN, grid, legend, plain, to_svg

Row = Mapping[str, Any]


def training_svg(rows: Sequence[Mapping[str, float]]) -> str:
    """Loss and validation accuracy by epoch, SVG. rows: of attached.COLUMNS."""
    from matplotlib.figure import Figure

    epochs = [row["epoch"] for row in rows]
    figure = Figure(figsize=(6.4, 5.2))
    upper, lower = figure.add_axes((0.13, 0.58, 0.84, 0.36)), figure.add_axes((0.13, 0.1, 0.84, 0.36))
    lines: Any = (
        (upper, "loss", 1, ACCENT, "training (augmented)"),
        (upper, "validation_loss", 1, WARN, "validation"),
        (lower, "validation_accuracy", 100, ACCENT, "all clips"),
        (lower, "validation_balanced_accuracy", 100, WARN, "mean of classes"),
    )
    for axes, key, scale, colour, label in lines:
        style = "--" if colour == WARN else "-"
        axes.plot(epochs, [scale * row[key] for row in rows], color=colour, lw=1.5, ls=style, marker=".", label=label)
    upper.set_ylabel("cross entropy, nats")
    upper.set_ylim(bottom=0)
    lower.set_ylabel("validation accuracy, %")
    lower.set_xlabel("epoch")
    for axes in (upper, lower):
        grid(axes)
        plain(axes)
        legend(axes, 2)
    return to_svg(figure, "training", f"Training curves, {len(rows)} epochs")


def thresholds_svg(points: Sequence[Row], title: str) -> str:
    """Recall of words and what else passes, by threshold, SVG; bands are 95 % intervals."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.0))
    axes = figure.add_axes((0.11, 0.14, 0.86, 0.7))
    lines = (
        ("recall", ACCENT, "-", "words found"),
        ("wrong", SOFT, ":", "word taken for another"),
        ("silence", BAD, "--", "silence passed"),
        ("other", WARN, "-.", "other words passed"),
    )
    at = [point["threshold"] for point in points]
    for key, colour, style, label in lines:
        shares = [point[key] for point in points]
        if not shares[0]["n"]:
            continue
        low, high = ([100 * share["interval"][end] for share in shares] for end in ("low", "high"))
        axes.fill_between(at, low, high, color=colour, alpha=0.12, lw=0)
        values = [100 * (share["value"] or 0) for share in shares]
        axes.plot(at, values, color=colour, ls=style, lw=1.7, label=f"{label} (n = {shares[0]['n']:,})")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 100)
    axes.set_xlabel("threshold: the least probability that is accepted")
    axes.set_ylabel("share of clips, %")
    grid(axes)
    plain(axes)
    legend(axes, 2)
    return to_svg(figure, "thresholds", title)
