"""The curves of a training run: loss and validation accuracy by epoch."""

from __future__ import annotations

import csv
from pathlib import Path

from edgekws.files import replacing

LOG = "log.csv"


def write_log(path: Path, rows: list[dict[str, float]]) -> None:
    """Write one row an epoch; the keys of the first one are the columns."""
    with replacing(path) as partial, partial.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def draw(log: Path, picture: Path) -> None:
    """Plot log.csv of a training run as SVG, written to `picture`."""
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot

    with log.open(newline="") as file:
        rows = [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]
    epochs = [row["epoch"] for row in rows]
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
    left.plot(epochs, [row["loss"] for row in rows], label="training (augmented)")
    left.plot(epochs, [row["validation_loss"] for row in rows], label="validation, class-balanced")
    left.set(xlabel="epoch", ylabel="cross entropy", ylim=(0, None))
    right.plot(epochs, [100 * row["validation_accuracy"] for row in rows], label="all clips")
    right.plot(epochs, [100 * row["validation_balanced_accuracy"] for row in rows], label="mean of classes")
    right.set(xlabel="epoch", ylabel="validation accuracy, %")
    for axes in (left, right):
        axes.legend(frameon=False)
        axes.grid(alpha=0.3)
    with replacing(picture) as partial:
        figure.savefig(partial, format="svg", metadata={"Date": None})
    pyplot.close(figure)
