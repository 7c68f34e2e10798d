"""`edgekws info`: what a model is and where it comes from."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Column, Table

from edgekws.cli import console
from edgekws.cli.line.predict import ModelArgument

_SHOWN_LAYERS = 3
_KINDS = {"graph": "integer graph", "float": "float network"}


def info(
    model: ModelArgument,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document instead.")] = False,
) -> None:
    """Show a model: layers, sizes, front end, labels, where it comes from, and its exports."""
    from edgekws.inference import about
    from edgekws.inference import model as models

    subject = models.read(model)
    document = about.describe(subject)
    if as_json:
        typer.echo(json.dumps(document, indent=1))
        return
    integers = (subject.graph.input_scale, subject.graph.input_zero) if subject.graph else None
    for key, text in _lines(document, integers):
        console.out.print(f"[bold]{key:12}[/] {escape(text)}")
    console.out.print(_layers(document))
    if document["exports"]:
        console.out.print(_exports(document))
    if document["reject_note"]:
        console.warn(document["reject_note"])
    if subject.kind == "graph":
        console.next_step("check", model)
    elif document["totals"].get("macs"):
        console.next_step("check", subject.folder)


def _lines(document: dict[str, Any], integers: tuple[float, int] | None) -> Iterator[tuple[str, str]]:
    """(what, value) of everything that is no table."""
    model = document["model"]
    kind = _KINDS.get(model["kind"], f"{model['kind'].replace('_', '-')} file")
    target = f" for {model['target']}" if model["target"] else ""
    yield "model", f"{model['name']}, {kind}{target}, {model['path']}, {model['bytes']:,} bytes"
    yield "sha256", model["sha256"]
    yield "labels", f"{len(document['labels'])}: {', '.join(document['labels'])}"
    yield "front end", _front_end(document["front_end"])
    yield "input", _input(document["front_end"], integers)
    if document["totals"]:
        named = {"macs": "multiplications", "parameter_bytes": "bytes of parameters", "parameters": "parameters"}
        yield "size", ", ".join(f"{value:,} {named[key]}" for key, value in document["totals"].items())
    if document["streaming"]:
        yield "streaming", _streaming(document["streaming"])
    yield from _origins(document)


def _streaming(facts: dict[str, Any]) -> str:
    if not facts["streams"]:
        shown = ", ".join(facts["layers"][:_SHOWN_LAYERS])
        more = " and others" if len(facts["layers"]) > _SHOWN_LAYERS else ""
        return f"no: {shown}{more} look ahead past the end of a clip, or mix rows; see edgekws check --streaming"
    step = f"{facts['step_rows']} rows" if facts["step_ms"] is None else f"{facts['step_ms']:g} ms"
    return f"yes: every {step} {facts['macs']:,} multiplications, {facts['state_bytes']:,} bytes of state"


def _front_end(spec: dict[str, Any]) -> str:
    if "unknown" in spec:
        return "unknown: it takes int8 inputs, and no recordings"
    from edgekws.features.spec import FeatureSpec

    rate = spec["rate_hz"]
    peak = spec.get("stream_peak", FeatureSpec().stream_peak)
    divisor = f"{peak:,}" if spec.get("level") == "stream" else "the highest of the clip"
    integers = ", in fixed point" if spec.get("arithmetic") == "fixed" else ""
    window, hop, clip = (1000 * spec[f"{name}_samples"] / rate for name in ("window", "hop", "clip"))
    return (
        f"{rate:,} Hz, clips of {clip:g} ms; windows of {window:g} ms every {hop:g} ms, FFT of {spec['fft_samples']}; "
        f"{spec['mel_bands']} mel bands, {spec['low_hz']:g} to {spec['high_hz']:g} Hz; {spec['coefficients']} MFCC; "
        f"samples divided by {divisor}{integers}"
    )


def _input(spec: dict[str, Any], integers: tuple[float, int] | None) -> str:
    """integers: a graph's (value of one step, zero point); None for a float network."""
    zero = f", zero point {integers[1]}" if integers and integers[1] else ""
    if "unknown" in spec:
        step = f"; one step is {integers[0]:.3g}{zero}" if integers else ""
        return f"int8 {' x '.join(map(str, [*spec['shape'], spec['channels']]))}{step}"
    scales = [f"{value:.3g}" for value in spec["input_scale"]]
    shown = scales[0] if len(set(scales)) == 1 else f"{', '.join(scales)} by coefficient"
    truncated = ", truncated toward zero" if spec.get("rounding") == "toward-zero" else ""
    return f"int8 {spec['shape'][0]} x {spec['shape'][1]}; one step is {shown}{zero}{truncated}"


def _origins(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Where the model comes from, as far as it is known."""
    data = document["data"]
    if data:
        yield "trained on", f"{data['name']} ({data['sha256'][:12]}) in {data['folder']}"
    recipe = document["recipe"]
    if recipe:
        yield "recipe", f"{recipe['name']}: network {recipe['net']['name']}, {recipe['train']['epochs']} epochs"
    for key, value in document["provenance"].items():
        yield key, value
    for split, row in document["scores"].items():
        accuracy = ", ".join(f"{key} {100 * row[key]['accuracy']:.2f} %" for key in ("float", "graph"))
        yield split, f"{accuracy} of {row['graph']['n']:,} clips (computed by quantize)"
    for key, value in document["exported_by"].items():
        yield key.removeprefix("edgekws_"), value


def _layers(document: dict[str, Any]) -> Table:
    rows = document["layers"]
    if rows and "op" in rows[0]:
        names = ("op", "output", "bits", "MACs", "bytes", "output scale")
        table = Table(Column("layer", overflow="fold"), *(Column(name, no_wrap=True) for name in names), box=None)
        for row in rows:
            sizes = (str(row["bits"] or "-"), f"{row['macs']:,}", f"{row['bytes']:,}", f"{row['scale']:.4g}")
            table.add_row(escape(row["name"]), row["op"], " x ".join(map(str, row["output"])), *sizes)
        return table
    if rows and "shape" in rows[0]:
        table = Table("weights", "shape", "parameters", box=None)
        for row in rows:
            table.add_row(escape(row["name"]), " x ".join(map(str, row["shape"])), f"{row['parameters']:,}")
        return table
    table = Table("layer", "output scale", box=None)
    for row in rows:
        table.add_row(escape(row["name"]), f"{row['scale']:.4g}")
    return table


def _exports(document: dict[str, Any]) -> Table:
    table = Table(Column("export", overflow="fold"), "bytes", "SHA-256", "", box=None)
    for row in document["exports"]:
        table.add_row(escape(row["file"]), f"{row['bytes']:,}", row["sha256"][:16], row["state"])
    return table
