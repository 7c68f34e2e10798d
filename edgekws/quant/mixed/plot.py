"""The plot of a search for bit widths: cost against error and accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgekws.files import replacing

Dots = Sequence[tuple[float, float]]
"""(cost, value) of each network."""


def draw(picture: Path, cost_label: str, errors: Dots, accuracies: Dots, chosen: float, real_accuracy: float) -> None:
    """Draw predicted errors and measured accuracies over the cost, as SVG.

    accuracies: means of the classes in percent, of the networks that were measured; real_accuracy: of the float
    network; chosen: the cost of the network that was chosen.
    """
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot

    with mpl.rc_context({"svg.hashsalt": "edgekws"}):  # element names that do not change from run to run
        figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
        left.semilogy(*zip(*errors, strict=True), ".-", label="Pareto front")
        left.set(xlabel=cost_label, ylabel="predicted divergence of scores, nats")
        right.plot(*zip(*accuracies, strict=True), "o", label="quantized and measured (PTQ)")
        right.axhline(real_accuracy, color="gray", linestyle=":", label="float network")
        right.set(xlabel=cost_label, ylabel="validation accuracy, mean of classes, %")
        for axes in (left, right):
            axes.axvline(chosen, color="C1", linewidth=1, label="chosen")
            axes.legend(frameon=False)
            axes.grid(alpha=0.3)
        with replacing(picture) as partial:
            figure.savefig(partial, format="svg", metadata={"Date": None})
        pyplot.close(figure)
