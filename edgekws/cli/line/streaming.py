"""`edgekws check --streaming`: what a model costs over an endless stream, or which of its layers forbid one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.markup import escape
from rich.table import Table

from edgekws.cli import console
from edgekws.errors import TargetError

if TYPE_CHECKING:
    from edgekws.graph.ir import Graph
    from edgekws.graph.stream.facts import StreamFacts
    from edgekws.graph.stream.rules import Obstacle

KIND, VERSION = "edgekws-streaming", 1
_CONVERT = (
    "train one without padding in time, as the recipe models/dscnn_stream does; take the released dscnn_stream; or "
    "convert this one with --convert FOLDER, and measure its accuracy again"
)


def check(graph: Graph, convert: Path | None, as_json: bool) -> None:
    """Print the figures of `graph`, or of what it becomes in the folder `convert`.

    Raises TargetError where a layer forbids streams, after all such layers were printed.
    """
    from edgekws.graph.stream import facts, rules

    if convert is not None:
        graph = _converted(graph, convert, as_json)
    obstacles = rules.study(graph).obstacles
    found = None if obstacles else facts.facts(graph)
    if as_json:
        typer.echo(json.dumps(to_json(graph, found, obstacles), indent=1))
    elif found is not None:
        _show(graph, found)
    else:
        console.out.print(_obstacles(obstacles))
    if obstacles:
        layers = ", ".join(dict.fromkeys(each.layer for each in obstacles))
        hint = _CONVERT if convert is None else "see the table"
        raise TargetError(f"{graph.name}: for streams, every layer should look back only", got=layers, hint=hint)
    if convert is not None and not as_json:
        console.next_step("check", convert)


def to_json(graph: Graph, found: StreamFacts | None, obstacles: tuple[Obstacle, ...]) -> dict[str, Any]:
    """The document of --json. facts: null where a layer forbids streams."""
    from edgekws.graph import io

    return {
        "kind": KIND,
        "version": VERSION,
        "graph": {"name": graph.name, "sha256": io.digest(graph), "target": graph.target},
        "streams": found is not None,
        "facts": None if found is None else asdict(found),
        "obstacles": [asdict(each) for each in obstacles],
        "notes": list(notes(graph)),
    }


def notes(graph: Graph) -> Iterator[str]:
    """What else a stream from the microphone needs."""
    from edgekws.features.spec import UnknownFeatures

    if isinstance(graph.features, UnknownFeatures):
        yield "the front end is unknown: times are not known either, and the stream takes int8 rows"
    elif graph.features.level == "clip":
        yield (
            "its front end divides a clip by its own maximum, which a stream does not have; for sound, train with "
            'level = "stream"'
        )


def _converted(graph: Graph, folder: Path, as_json: bool) -> Graph:
    """Save the graph without padding in time into `folder`. Raises TargetError where that is not possible."""
    from edgekws import models
    from edgekws.graph import io
    from edgekws.graph.stream import convert

    folder = folder.expanduser()
    converted = convert.streamable(graph)
    io.save(converted, folder / models.GRAPH)
    where = f"in {folder / models.GRAPH}"
    if as_json:
        return converted
    if converted is graph:
        console.out.print(escape(f"{graph.name}: no layer forbids streams; the same graph is {where}"))
        return converted
    rows = f"a clip of {converted.in_shape[0]} rows, before {graph.in_shape[0]}"
    console.out.print(escape(f"{graph.name}: without padding in time, {rows}, {where}"))
    console.warn("the accuracy has to be measured again: where zeros were, the network now gets sound")
    return converted


def _show(graph: Graph, found: StreamFacts) -> None:
    console.out.print(f"{escape(graph.name)} over a stream: {_time(found, found.step_rows)} a step")
    console.out.print(_layers(found))
    for key, text in lines(found):
        console.out.print(f"{key}: {text}")
    for note in notes(graph):
        console.out.print(f"[yellow]note:[/] {escape(note)}")
    console.out.print("[bold]streams[/]: every layer looks back only")


def lines(found: StreamFacts) -> Iterator[tuple[str, str]]:
    """(what, figure) of the whole stream; all follow from the shapes."""
    clip = found.first_rows + (found.clip_steps - 1) * found.step_rows
    yield "scores", f"the first after {_sound(found, found.first_rows)}, those of a clip after {_sound(found, clip)}"
    heard = "all of the past, by a state" if found.heard_rows is None else _sound(found, found.heard_rows)
    yield "receptive field", heard
    yield "look-ahead", f"{_time(found, found.look_ahead_rows)} after the row that the newest row of the pool is about"
    share = found.clip_macs / found.macs if found.macs else 1.0
    yield "a step", f"{found.macs:,} multiplications, 1/{share:.1f} of the {found.clip_macs:,} of a clip"
    yield "state", f"{found.state_bytes:,} bytes from step to step"


def _layers(found: StreamFacts) -> Table:
    table = Table("layer", "op", "rows read", "new rows", "rows kept", "bytes kept", "MACs", "look-ahead", box=None)
    for row in found.layers:
        kept = (str(row.kept_rows or "-"), f"{row.kept_bytes:,}")
        ahead = _time(found, row.look_ahead_rows) if row.look_ahead_rows else "-"
        table.add_row(escape(row.name), row.op, str(row.rows or "-"), str(row.new_rows), *kept, f"{row.macs:,}", ahead)
    table.add_row("all", "", "", "", "", f"{found.state_bytes:,}", f"{found.macs:,}", "", style="bold")
    return table


def _obstacles(obstacles: tuple[Obstacle, ...]) -> Table:
    table = Table("layer", "forbids a stream", "what to do", box=None)
    for each in obstacles:
        table.add_row(escape(each.layer), escape(each.reason), escape(each.hint))
    return table


def _time(found: StreamFacts, rows: int) -> str:
    return _with_ms(rows, found.rows_ms(rows))


def _sound(found: StreamFacts, rows: int) -> str:
    return _with_ms(rows, found.span_ms(rows))


def _with_ms(rows: int, time_ms: float | None) -> str:
    counted = f"{rows} row" if rows == 1 else f"{rows} rows"
    return counted if time_ms is None else f"{counted} ({time_ms:,.0f} ms)"
