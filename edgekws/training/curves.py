"""The curves of a training run: loss and validation accuracy by epoch."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING

from edgekws.files import replacing
from edgekws.files.picture import write_svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = ("epoch", "loss", "validation_loss", "validation_accuracy", "validation_balanced_accuracy")
"""Those of log.csv that the picture shows."""

LOG = "log.csv"


def write_log(path: Path, rows: list[dict[str, float]]) -> None:
    """Write one row an epoch; the keys of the first one are the columns."""
    with replacing(path) as partial, partial.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def draw(log: Path, picture: Path) -> None:
    """Plot log.csv of a training run as SVG, written to `picture`."""
    figure, epochs = _figure(log)
    write_svg(figure, picture, f"Training curves, {epochs} epochs: loss and validation accuracy")


def png(log: Path) -> bytes:
    """The same plot as a PNG."""
    content = io.BytesIO()
    _figure(log)[0].savefig(content, format="png", dpi=110)
    return content.getvalue()


def _figure(log: Path) -> tuple[Figure, int]:
    """The plot, and how many epochs it shows."""
    from matplotlib.figure import Figure

    with log.open(newline="") as file:
        rows = [{key: float(row[key]) for key in COLUMNS} for row in csv.DictReader(file)]
    epochs = [row["epoch"] for row in rows]
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot(epochs, [row["loss"] for row in rows], label="training (augmented)")
    left.plot(epochs, [row["validation_loss"] for row in rows], label="validation, class-balanced")
    left.set(xlabel="epoch", ylabel="cross entropy, nats", ylim=(0, None), title="Loss")
    right.plot(epochs, [100 * row["validation_accuracy"] for row in rows], label="all clips")
    right.plot(epochs, [100 * row["validation_balanced_accuracy"] for row in rows], label="mean of classes")
    right.set(xlabel="epoch", ylabel="validation accuracy, %", title="Accuracy")
    for axes in (left, right):
        axes.legend(frameon=False)
        axes.grid(alpha=0.3)
    return figure, len(rows)
