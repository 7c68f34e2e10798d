"""`edgekws detect`: the words in sound of any length, as they are heard."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Column, Table

from edgekws.cli import console
from edgekws.cli._options import PortOption
from edgekws.cli.detect import on_board, subject
from edgekws.cli.detect.evaluate import require_report
from edgekws.cli.detect.subject import DetectorOption, EngineOption, ModelArgument, ThresholdOption
from edgekws.cli.paths import user_path
from edgekws.errors import ConfigError, DataError

if TYPE_CHECKING:
    import numpy as np

    from edgekws.data.streams.source import Source
    from edgekws.detect.settings import Settings
    from edgekws.detect.timeline import Envelope
    from edgekws.graph.ir import Graph
    from edgekws.types import Detection

_PICTURES = (".svg", ".html")
_WIDTH = 64
_SHOWN_FAILURES = 5
_QUIET = round(32_768 * 10 ** (-36 / 20))
"""Words at a usual distance from a microphone peak above it: -36 dB of full scale."""
Opener = Callable[[], "Source"]
Hearing = Callable[[Iterable["np.ndarray"], "Heard"], Iterator["Detection"]]
"""Blocks of int16 samples -> events as they are heard; adds what a timeline draws."""


@dataclass
class Heard:
    """One recording: its events, its faults, and what a timeline shows."""

    name: str
    keywords: tuple[str, ...]
    rate_hz: int
    envelope: Envelope
    events: list[Detection] = field(default_factory=list)
    samples: int = 0
    peak: int = 0
    """The loudest sample, of 32,768."""
    faults: list[str] = field(default_factory=list)
    changes: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        return self.samples / self.rate_hz


def detect(
    model: ModelArgument,
    recordings: Annotated[
        list[str], typer.Argument(help="Recordings, folders of recordings, or - alone for standard input.")
    ],
    on: EngineOption = "",
    threshold: ThresholdOption = None,
    detector: DetectorOption = None,
    raw: Annotated[
        int | None, typer.Option(help="Standard input is raw int16 samples, little-endian, of this rate.", min=1)
    ] = None,
    channels: Annotated[int, typer.Option(help="Of --raw, interleaved.", min=1)] = 1,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON lines, as it does where the output is no terminal.")
    ] = False,
    timeline: Annotated[Path | None, typer.Option(help="Draw a timeline into this .svg or .html file.")] = None,
    board: Annotated[
        str, typer.Option(help="Stream to the firmware of this board, and check that it hears what is heard here.")
    ] = "",
    port: PortOption = "",
    real_time: Annotated[
        bool, typer.Option("--real-time", help="Of --board: no faster than the sound; otherwise as fast as it goes.")
    ] = False,
    histogram: Annotated[
        bool, typer.Option("--histogram", help="Of --board: compare its posteriors with those of the validation.")
    ] = False,
) -> None:
    """Detect the words in sound of any length: an event for each word that is heard, with its time.

    Any format, rate and number of channels; a file of 24 hours takes no more memory than one of a minute.

    Examples:

    - a long recording: `edgekws detect work/my_words/model evening.flac`
    - events for another program: `edgekws detect work/my_words/model evening.flac --json > events.jsonl`
    - live, from a pipe: `arecord -f S16_LE -r 16000 -t wav | edgekws detect work/my_words/model -`
    - a timeline: `edgekws detect work/my_words/model evening.flac --timeline evening.html`
    - on a board, emulated or real: `edgekws detect work/my_words/model evening.flac --board qemu-an386`

    With --board the board's events are printed. It ends with exit code 9 when the board's events, or the hash of all
    its scores, differ from those of this computer.
    """
    if not board and (port or real_time or histogram):
        got = "--port" if port else "--real-time" if real_time else "--histogram"
        raise ConfigError("--port, --real-time and --histogram belong to --board", got=got, hint="name a board")
    if timeline is not None and timeline.suffix.lower() not in _PICTURES:
        raise ConfigError("--timeline should be a .svg or .html file", got=str(timeline))
    if timeline is not None:
        require_report()
    if raw is not None and recordings != ["-"]:
        raise ConfigError("--raw belongs to standard input", got=f"--raw {raw}", hint="give - for it")
    read, graph = subject.graph_of(model)
    settings = subject.settings_of(read, graph, threshold, detector)
    sources = sources_of(recordings, graph.front_end.rate_hz, raw, channels)
    is_json = as_json or not console.out.is_terminal
    results, failures = [], list[tuple[str, DataError]]()
    hearing = on_board.hearing(board, port, graph, settings, on, real_time, histogram) if board else None
    ended = console.when_stopped("stopped; the events so far are complete")
    with ended, hearing or nullcontext(here(graph, settings, on)) as hear, console.progress() as report:
        for number, (name, open_source) in enumerate(sources):
            try:
                source = open_source()
            except DataError as error:
                failures.append((name, error))
                continue
            heard = new_heard(name, graph, settings)
            show = report if recordings != ["-"] else _no_report
            for event in _events(hear, source, heard, show, f"({number + 1} of {len(sources)})"):
                print_event(event, heard, is_json, live=recordings == ["-"])
            results.append(heard)
            say(heard, is_json)
    if timeline is not None:
        _draw(timeline, results, read.name)
    _report(failures, len(sources))
    if not is_json:
        console.next_step("detect-eval", model, "--positives", "WORDS", "--negatives", "SOUND")


def sources_of(recordings: list[str], rate_hz: int, raw: int | None, channels: int) -> list[tuple[str, Opener]]:
    """(name, how to open it) of each recording."""
    from functools import partial

    from edgekws.data.streams import files, pipes
    from edgekws.inference import recordings as reading

    if recordings == ["-"]:
        return [(pipes.STDIN, lambda: pipes.opened(sys.stdin.buffer, rate_hz, raw, channels))]
    if "-" in recordings:
        raise ConfigError("- for standard input should be alone", got=" ".join(recordings))
    paths = dict.fromkeys(path for each in recordings for path in reading.listed(user_path(Path(each))))
    return [(str(path), partial(_opened, files.opened, path, rate_hz)) for path in paths]


def _opened(opener: Callable[[Path, int], Source], path: Path, rate_hz: int) -> Source:
    """A missing decoder of some formats concerns only the files that need it."""
    from edgekws.data import containers
    from edgekws.errors import MissingPackageError

    try:
        return opener(path, rate_hz)
    except MissingPackageError as error:
        if not containers.is_optional(error):
            raise
        raise DataError(f"{path} should have a decoder", got=containers.needs(error)) from error


def new_heard(name: str, graph: Graph, settings: Settings) -> Heard:
    """Nothing yet of a recording."""
    from edgekws.detect.timeline import Envelope

    return Heard(name, settings.keywords, graph.front_end.rate_hz, Envelope(len(settings.keywords)))


def here(graph: Graph, settings: Settings, on: str) -> Hearing:
    """Streams through this computer. on: the engine of the graph, "" for the fastest."""
    from edgekws.detect.listener import Listener

    def hear(blocks: Iterable[np.ndarray], heard: Heard) -> Iterator[Detection]:
        listener = Listener(graph, settings, on or None)
        for block in blocks:
            yield from listener.push(block)
            heard.envelope.push(listener.posteriors)

    return hear


def _events(
    hear: Hearing, source: Source, heard: Heard, report: Callable[[str, int, int], None], which: str
) -> Iterator[Detection]:
    """The events of a recording as they are heard; fills `heard`."""
    heard.changes = source.changes
    for event in hear(_counted(source, heard, report, which), heard):
        heard.events.append(event)
        yield event
    heard.faults += source.faults
    if not heard.samples:
        heard.faults.append("no sound in it")
    elif heard.peak < _QUIET:
        heard.faults.append(_quiet(heard.peak))


def _quiet(peak: int) -> str:
    if not peak:
        return "silence: all of its samples are 0"
    level_db = 20 * math.log10(peak / 32_768)
    return f"very quiet: its loudest sample is at {level_db:.0f} dB of full scale, so words may be missed; turn it up"


def _counted(source: Source, heard: Heard, report: Callable[[str, int, int], None], which: str) -> Iterator[np.ndarray]:
    for block in source:
        heard.samples += len(block)
        heard.peak = max(heard.peak, int(block.max(initial=0)), -int(block.min(initial=0)))
        if source.total:
            total = max(source.total // heard.rate_hz, 1)
            report(f"detect {which}, seconds", min(heard.samples // heard.rate_hz, total), total)
        yield block


def _no_report(what: str, done: int, total: int) -> None:
    """A live stream has no end to count to."""


def print_event(event: Detection, heard: Heard, is_json: bool, live: bool) -> None:
    """JSON lines always at once; text at once only of a live stream, since a table follows."""
    from edgekws.detect.timeline import clock_text

    if is_json:
        row = {"file": heard.name, "time_s": round(event.time_samples / heard.rate_hz, 4), **event.to_json()}
        print(json.dumps(row), flush=True)
    elif live:
        at = clock_text(event.time_samples / heard.rate_hz, 2)
        console.out.print(f"{at}  {event.keyword}  {event.score / 1000:.2f}", markup=False)


def say(heard: Heard, is_json: bool) -> None:
    """The faults, and on a terminal the events and a timeline."""
    for fault in heard.faults:
        console.warn(f"{heard.name}: {fault}")
    if not is_json:
        _show(heard)


def _show(heard: Heard) -> None:
    from edgekws.detect import timeline

    print_ = console.out.print
    changes = f" ({', '.join(heard.changes)})" if heard.changes else ""
    length = timeline.clock_text(heard.seconds, 1)
    print_(f"{heard.name}: {length}{changes}, {len(heard.events)} events", markup=False, style="bold")
    if heard.events:
        table = Table(*(Column(name, no_wrap=True) for name in ("at", "word", "probability")), box=None)
        for event in heard.events:
            at = timeline.clock_text(event.time_samples / heard.rate_hz, 2)
            table.add_row(at, escape(event.keyword), f"{event.score / 1000:.2f}")
        print_(table)
    drawn = timeline.lines(
        heard.envelope, heard.events, heard.keywords, heard.seconds, heard.rate_hz, min(_WIDTH, console.out.width - 20)
    )
    print_("\n".join(drawn), markup=False)


def _draw(path: Path, results: list[Heard], model: str) -> None:
    from edgekws.files import write_text
    from edgekws.report.detection import timelines

    tracks: list[Any] = [
        timelines.Track(each.name, each.keywords, each.envelope, each.events, each.seconds, each.rate_hz)
        for each in results
    ]
    if path.suffix.lower() == ".svg":
        timelines.write_svg(tracks, path, f"Words that {model} heard")
    else:
        write_text(path, timelines.to_html(tracks, model))
    console.err.print(f"timeline: {path}", markup=False)


def _report(failures: list[tuple[str, DataError]], total: int) -> None:
    """Name what could not be read. Raises DataError when that was everything."""
    if not failures:
        return
    if len(failures) == total:
        raise failures[0][1]
    console.warn(f"{len(failures)} of {total} files were left out:")
    for _, error in failures[:_SHOWN_FAILURES]:
        console.warn(str(error))
    if len(failures) > _SHOWN_FAILURES:
        console.warn(f"and {len(failures) - _SHOWN_FAILURES} more")
