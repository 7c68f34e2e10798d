"""The report as Markdown tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from edgekws.report import origin, speed, text
from edgekws.report.memory import arena_bytes, arena_parts
from edgekws.report.quality import advice, judge

Row = dict[str, Any]


def to_markdown(report: Row) -> str:
    """The Markdown of an `edgekws-report` document."""
    parts = [
        *_head(report),
        *_figures(report),
        *_speed(report),
        *_energy(report),
        *_accuracy(report),
        *_memory(report),
        *_layers(report),
        *_parity(report),
        *_manifests(report),
    ]
    return "\n".join(parts) + "\n"


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Lines of a Markdown table and an empty line."""
    lines = [_line(header), _line(["---"] * len(header)), *map(_line, rows)]
    return [*lines, ""]


def _line(cells: Sequence[object]) -> str:
    return "| " + " | ".join(str(cell).replace("|", r"\|").replace("\n", " ") for cell in cells) + " |"


def _head(report: Row) -> list[str]:
    lines = [f"# {report['title']}", "", f"**{text.headline(report)}**", ""]
    lines += [f"- **{alert}**" for alert in origin.alerts(report)]
    if report["incomplete"]:
        lines.append(f"- **aborted; the figures were measured before that: {report['incomplete']}**")
    lines += [f"- reason: {reason}" for reason in text.reasons(report)]
    lines += ["", *_quality(report)]
    lines += [f"- **warning: {warning}**" for warning in report["warnings"]]
    board = f"Board: {report['board']['title']}. " if report["board"] else ""
    graph = report["graph"]
    source = f" Imported from {graph['imported_from']}." if graph.get("imported_from") else ""
    lines += ["", f"{board}Graph: {graph['name']}, target {graph['target']}, sha256 {graph['sha256']}.{source}", ""]
    return [*lines, *_device(report)]


def _quality(report: Row) -> list[str]:
    """The verdict on the network, and what to do next."""
    quality = judge(report)
    lines = [f"**{quality.headline}**", "", *(f"- {remark}" for remark in quality.remarks)]
    for step in advice.steps(report):
        lines.append(f"- next: {step.text}" + (f" `{step.command}`" if step.command else ""))
    return lines


def _device(report: Row) -> list[str]:
    """Date, device and transfers."""
    parts = [f"Written {report['created']}."] if report["created"] else []
    if where := origin.line(report):
        parts.append(f"{where[0].upper()}{where[1:]}.")
    if device := report["device"]:
        parts.append(f"Device: {device['name']}, {device['profile']}, model {device['model']}.")
    if report["transfers"]:
        parts.append(f"{text.exchanges(report['transfers'])}.")
    return [" ".join(parts), ""] if parts else []


def _figures(report: Row) -> list[str]:
    rows, void = [], report["verdict"]["valid"] is False
    for figure in report["figures"]:
        value, unit = text.quantity(figure["value"], figure["unit"])
        how = origin.how(report, figure["how"]) if figure["board"] else figure["how"]
        source = f"{how} {figure['board']}".strip() + (", NOT VALID" if void and figure["board"] else "")
        about = "≈ " if figure["how"] == "estimated" else ""
        rows.append(
            (figure["name"], f"{about}{value} {unit}".strip(), text.bounds(figure), text.sample(figure), source)
        )
    if not rows:
        return []
    used = {figure["how"] for figure in report["figures"]} | set(text.TRACED)
    legend = "; ".join(
        f"*{how}*: {meaning}" for how, meaning in text.legend(origin.is_trace(report)).items() if how in used
    )
    return ["## Figures", "", *table(("figure", "value", "interval", "sample", "how"), rows), f"{legend}.", ""]


def _speed(report: Row) -> list[str]:
    if not report["performance"]:
        return []
    what = "Instructions" if speed.emulated(report) else "Speed"
    return [f"## {what}, {report['board']['how']}", "", speed.line(report), "", *table(*speed.windows(report))]


def _energy(report: Row) -> list[str]:
    energy = report["energy"]
    if not energy:
        return []
    lines = [
        f"## Energy, {origin.how(report, energy['how'])}",
        "",
        f"**{_joules(energy)}** ({text.energy_source(report)}).",
        "",
    ]
    if not energy["windows"]:
        return lines
    header = ("window", "inferences", "seconds", "mJ", "idle, mW", "uJ per inference", "uJ above idle")
    rows = [(number, *text.energy_window(window)) for number, window in enumerate(energy["windows"], 1)]
    return [*lines, *table(header, rows)]


def _joules(energy: Row) -> str:
    """The result in one line; an estimate names the chip that it stands for, and has nothing above idle."""
    how = energy["how"]
    total, above = (text.microjoules(energy[key], how) for key in ("uj_per_inference", "uj_per_inference_above_idle"))
    if how == "estimated":
        return f"{total} per inference" + (f", {energy['chip']}" if energy.get("chip") else "")
    return f"{total} per inference, {above} above idle"


def _accuracy(report: Row) -> list[str]:
    accuracy = report["accuracy"]
    if not accuracy:
        return []
    lines = []
    if accuracy["recalls"]:
        rows = [_recall(recall) for recall in accuracy["recalls"]]
        header = ("class", "clips", "correct", "recall", "95 % interval")
        lines += [f"## Recall, {accuracy['dataset']}", "", *table(header, rows)]
        labels = report["graph"]["labels"]
        counts = [(label, *row) for label, row in zip(labels, accuracy["confusion"], strict=True)]
        lines += ["Rows: true class; columns: prediction of the board.", "", *table(("", *labels), counts)]
    if accuracy["mismatches"]:
        shown = [(m["clip"], m["compared"], m["expected"], m["got"]) for m in accuracy["mismatches"]]
        lines += ["## First differences", "", *table(("clip", "compared", "interpreter", "board"), shown)]
    return lines


def _recall(row: Row) -> tuple[object, ...]:
    value = "" if row["value"] is None else text.percent(row["value"])
    bounds = f"{text.percent(row['interval']['low'])} to {text.percent(row['interval']['high'])}"
    return row["label"], row["n"], row["hits"], value, bounds


def _memory(report: Row) -> list[str]:
    if not report["memory"]:
        return []
    rows = [
        (row["name"], f"{row['used']:,}", f"{row['budget']:,}" if row["budget"] else "none set")
        for row in report["memory"]
    ]
    arena = report["arena"]
    plan = [f"Arena of the model, in this RAM: {arena_bytes(arena):,} B: {arena_parts(arena)}.", ""] if arena else []
    return ["## Memory", "", *table(("memory", "used, bytes, computed by the linker", "budget, bytes"), rows), *plan]


def _layers(report: Row) -> list[str]:
    header = ("layer", "op", "output", "weight bits", "MACs", "share", "parameters, bytes", "output, bytes")
    rows = [_layer(row) for row in report["layers"]]
    return ["## Layers", "", *table(header, rows), *_layers_on_board(report)]


def _layer(row: Row) -> tuple[object, ...]:
    shape = "x".join(map(str, row["out_shape"]))
    costs = (f"{row['macs']:,}", text.percent(row["macs_share"]))
    sizes = (f"{row['parameter_bytes']:,}", f"{row['activation_bytes']:,}")
    return row["name"], row["op"], shape, row["weight_bits"], *costs, *sizes


def _layers_on_board(report: Row) -> list[str]:
    """What each layer took on the board, beside the cost model."""
    unit, layers = speed.layers(report)
    if not layers:
        return []
    header = ("layer", f"{unit}, {report['board']['how']}", "share", "instructions, estimated", "error of the estimate")
    rows = [(row.name, row.value, text.percent(row.share), row.estimated, row.error) for row in layers]
    return ["## Layers on the board", "", *table(header, rows), text.model_error(report), ""]


def _parity(report: Row) -> list[str]:
    if not report["parity"]:
        return []
    rows = [
        (row["artifact"], row["runtime"], f"{row['n']:,}", f"{row['differences']:,}", row.get("note", ""))
        for row in report["parity"]
    ]
    header = ("artifact", "runtime", "clips", "differences", "note")
    return ["## Exports against the interpreter", "", *table(header, rows)]


def _manifests(report: Row) -> list[str]:
    rows = []
    for name, manifest in report["manifests"].items():
        inputs = ", ".join(f"{key} {text.short(str(value))}" for key, value in manifest.get("inputs", {}).items())
        versions = ", ".join(f"{key} {value}" for key, value in manifest.get("versions", {}).items())
        rows.append((name, manifest.get("kind", ""), inputs, versions, "; ".join(manifest.get("notes", ()))))
    header = ("step", "kind", "inputs", "versions", "notes")
    return ["## Made from", "", *table(header, rows)] if rows else []
