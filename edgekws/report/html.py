"""The report as one HTML page: no network, no scripts, light and dark, wide and narrow."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

from edgekws.report import memory, origin, speed, text
from edgekws.report.quality import advice, judge

Row = dict[str, Any]


def to_html(report: Row) -> str:
    """The page of an `edgekws-report` document."""
    return render(
        "page.html.j2",
        report=report,
        mark=text.mark(report),
        how=text.legend(origin.is_trace(report)),
        reasons=text.reasons(report),
        line=text.detail(report),
        quality=judge(report),
        steps=advice.steps(report),
        cards=[_card(figure) for figure in report["figures"]],
        plots=_plots(report),
        speed=speed,
        memory=memory,
    )


def render(template: str, **values: Any) -> str:  # noqa: ANN401 - templates take anything
    """A page from a template beside this file, which also gets the style sheet and the helpers of `text`."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(
        percent=text.percent, kib=text.kib, short=text.short, pretty=lambda value: json.dumps(value, indent=1)
    )
    folder = files(__package__ or "edgekws.report")
    page = environment.from_string((folder / template).read_text("utf-8"))
    return page.render(style=(folder / "page.css").read_text("utf-8"), text=text, origin=origin, **values)


def _card(figure: Row) -> Row:
    value, unit = text.quantity(figure["value"], figure["unit"])
    return {**figure, "shown": value, "shown_unit": unit, "bounds": text.bounds(figure), "sample": text.sample(figure)}


def _plots(report: Row) -> dict[str, Row]:
    """Name -> plot, for each section that the report has."""
    return {**_accuracy_plots(report), **_board_plots(report)}


def _accuracy_plots(report: Row) -> dict[str, Row]:
    from edgekws.report.plots import confusion_svg, recall_svg

    accuracy = report["accuracy"]
    if not accuracy or not accuracy["recalls"]:
        return {}
    dataset = f"{accuracy['dataset']}, n = {accuracy['n']:,}"
    confusion = confusion_svg(accuracy["confusion"], report["graph"]["labels"], f"Confusion, {dataset}")
    recall = recall_svg(accuracy["recalls"], f"Recall per class, {dataset}")
    return {
        "confusion": _plot("heat", "Confusion", dataset, confusion),
        "recall": _plot("bars", "Recall per class", f"{dataset}; whiskers: 95 % Wilson", recall),
    }


def _board_plots(report: Row) -> dict[str, Row]:
    from edgekws.report.traces import energy_svg, layers_svg, windows_svg

    plots, windows, energy = {}, speed.of(report), report["energy"]
    how = report["board"]["how"] if report["board"] else ""
    if windows is not None:
        plots["windows"] = _plot("bars", windows.title, how, windows_svg(windows, how))
    if energy and energy["trace"]:
        source = origin.how(report, energy["how"])
        plots["energy"] = _plot("wide", "Power over time", f"{source}: {energy['meter']}", energy_svg(energy, source))
    unit, layers = speed.layers(report)
    if layers:
        title = "Instructions of each layer" if unit == "instructions" else "Time of each layer"
        plots["layers"] = _plot(
            "bars", title, f"{how}, compared with the cost model", layers_svg(report["layers"], how)
        )
    return plots


def _plot(kind: str, title: str, caption: str, svg: str) -> Row:
    from markupsafe import Markup

    return {"kind": kind, "title": title, "caption": caption, "svg": Markup(svg)}
