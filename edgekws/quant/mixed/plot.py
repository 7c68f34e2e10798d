"""The plot of a search for bit widths: cost against error and accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgekws.files.picture import write_svg

Dots = Sequence[tuple[float, float]]
"""(cost, value) of each network."""


def draw(picture: Path, cost_label: str, errors: Dots, accuracies: Dots, chosen: float, real_accuracy: float) -> None:
    """Draw predicted errors and measured accuracies over the cost, as SVG.

    accuracies: means of the classes in percent, of the networks that were measured; real_accuracy: of the float
    network; chosen: the cost of the network that was chosen.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.semilogy(*zip(*errors, strict=True), ".-", label="Pareto front")
    left.set(xlabel=cost_label, ylabel="predicted divergence of scores, nats", title="Predicted error")
    right.plot(*zip(*accuracies, strict=True), "o", label="quantized and measured (PTQ)")
    right.axhline(real_accuracy, color="gray", linestyle=":", label="float network")
    right.set(xlabel=cost_label, ylabel="validation accuracy, mean of classes, %", title="Measured accuracy")
    for axes in (left, right):
        axes.axvline(chosen, color="C1", linewidth=1, label="chosen")
        axes.legend(frameon=False)
        axes.grid(alpha=0.3)
    write_svg(figure, picture, f"Search for bit widths: error and accuracy against {cost_label}")
