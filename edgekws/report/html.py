"""The report as one page: no network, no scripts, light and dark, wide and narrow."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

from edgekws.report import text

Row = dict[str, Any]


def to_html(report: Row) -> str:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(
        percent=text.percent, kib=text.kib, short=text.short, pretty=lambda value: json.dumps(value, indent=1)
    )
    folder = files(__package__ or "edgekws.report")
    template = environment.from_string((folder / "page.html.j2").read_text("utf-8"))
    return template.render(
        report=report,
        style=(folder / "page.css").read_text("utf-8"),
        how=text.HOW,
        cards=[_card(figure) for figure in report["figures"]],
        plots=_plots(report),
        has_times=text.has_times,
        times=text.times,
        model_error=text.model_error,
        all_us=sum(row["us"] or 0 for row in report["layers"]) or 1,
    )


def _card(figure: Row) -> Row:
    value, unit = text.quantity(figure["value"], figure["unit"])
    return {**figure, "shown": value, "shown_unit": unit, "shown_interval": text.interval(figure)}


def _plots(report: Row) -> list[Row]:
    from markupsafe import Markup

    from edgekws.report.plots import confusion_svg, recall_svg

    accuracy = report["accuracy"]
    if not accuracy or not accuracy["recalls"]:
        return []
    dataset = f"{accuracy['dataset']}, n = {accuracy['n']:,}"
    confusion = confusion_svg(accuracy["confusion"], report["graph"]["labels"], f"Confusion, {dataset}")
    recall = recall_svg(accuracy["recalls"], f"Recall per class, {dataset}")
    return [
        {"kind": "heat", "title": "Confusion", "caption": dataset, "svg": Markup(confusion)},
        {
            "kind": "bars",
            "title": "Recall per class",
            "caption": f"{dataset}; whiskers: 95 % Wilson",
            "svg": Markup(recall),
        },
    ]
