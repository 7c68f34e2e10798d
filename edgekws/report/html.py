"""The report as one HTML page: no network, no scripts, light and dark, wide and narrow."""

from __future__ import annotations

import json
from base64 import b64encode
from importlib.resources import files
from typing import Any

from edgekws.report import memory, origin, speed, text
from edgekws.report.attached import Attached
from edgekws.report.attached.spectrogram import bitmap
from edgekws.report.quality import MOST_OTHER, MOST_SILENCE, advice, judge

Row = dict[str, Any]


def to_html(report: Row, beside: Attached | None = None) -> str:
    """The page of an `edgekws-report` document. beside: the files beside it that it shows."""
    beside = beside or Attached()
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
        plots={**_plots(report), **_curves(report, beside)},
        wrong=_wrong(report, beside),
        thresholds=_points(report)[::2],
        suggested=_suggested(_points(report)),
        card=beside.card,
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
        "confusion": _plot(
            "heat" if len(report["graph"]["labels"]) > 6 else "heat few", "Confusion", dataset, confusion
        ),
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


def _curves(report: Row, beside: Attached) -> dict[str, Row]:
    from edgekws.report.curves import thresholds_svg, training_svg

    plots, points = {}, _points(report)
    if points:
        title = f"Thresholds, {report['accuracy']['dataset']}"
        caption = f"{report['accuracy']['dataset']}; bands: 95 % Wilson"
        plots["thresholds"] = _plot("bars", "What passes", caption, thresholds_svg(points, title))
    if len(beside.training) > 1:
        plots["training"] = _plot("bars", "Training", f"{len(beside.training)} epochs", training_svg(beside.training))
    return plots


def _points(report: Row) -> list[Row]:
    """What each threshold lets pass; none in older documents and without labelled clips."""
    return (report["accuracy"] or {}).get("thresholds") or []


def _suggested(points: list[Row]) -> Row | None:
    """The lowest threshold that refuses enough silence and other words; None when none does, or nothing shows it."""
    if not points or not (points[0]["silence"]["n"] or points[0]["other"]["n"]):
        return None
    limits = (("silence", MOST_SILENCE), ("other", MOST_OTHER))
    fits = (point for point in points if all((point[key]["value"] or 0) <= most for key, most in limits))
    return next(fits, None)


def _wrong(report: Row, beside: Attached) -> list[Row]:
    """The surest wrong answers, with sound and picture where the recording lies beside the report."""
    labels = report["graph"]["labels"]
    rows = (report["accuracy"] or {}).get("wrong") or []
    return [
        {
            "file": row["file"],
            "label": labels[row["class"]],
            "predicted": labels[row["predicted"]],
            "share": row["permille"] / 1000,
            **_embedded(number, beside),
        }
        for number, row in enumerate(rows, 1)
    ]


def _embedded(number: int, beside: Attached) -> Row:
    if number not in beside.wav:
        return {"sound": "", "picture": ""}
    contents = {"sound": beside.wav[number], "picture": bitmap(beside.clips[number])}
    return {name: b64encode(content).decode() for name, content in contents.items()}


def _plot(kind: str, title: str, caption: str, svg: str) -> Row:
    from markupsafe import Markup

    return {"kind": kind, "title": title, "caption": caption, "svg": Markup(svg)}
