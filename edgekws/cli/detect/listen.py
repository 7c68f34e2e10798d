"""`edgekws listen`: the words in front of the microphone, as they are said."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from edgekws.cli import console, signals
from edgekws.cli.detect import subject
from edgekws.cli.detect.detect import Heard, new_heard, print_event, say
from edgekws.cli.detect.subject import DetectorOption, EngineOption, ModelArgument, ThresholdOption
from edgekws.cli.paths import user_path
from edgekws.errors import ConfigError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import numpy as np

    from edgekws.data.streams.live import Capture
    from edgekws.data.streams.source import Source
    from edgekws.detect.listener import Listener

_PIECE_S = 0.1
_TOP, _BAR, _FLOOR_DB = 4, 24, -60.0
Show = Callable[["np.ndarray", int], None]
"""(samples of a piece, dropped blocks so far)"""
Dropped = Callable[[], int]


def listen(
    model: ModelArgument,
    on: EngineOption = "",
    threshold: ThresholdOption = None,
    detector: DetectorOption = None,
    input_: Annotated[
        str | None, typer.Option("--input", help="Name or number of the microphone.", show_default="the system's")
    ] = None,
    wav: Annotated[Path | None, typer.Option(help="A recording in place of the microphone, in real time.")] = None,
    fast: Annotated[bool, typer.Option("--fast", help="Of --wav: as fast as it goes.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON lines, as it does where the output is no terminal.")
    ] = False,
) -> None:
    """Listen to the microphone: level, top words, and an event for each word that is heard, until Ctrl-C.

    `edgekws data record --list` shows the microphones. One of another rate is resampled. Blocks that were dropped,
    since this computer was too slow, are counted and said. Ctrl-C ends with a summary.

    Examples:

    - the microphone of the system: `edgekws listen work/my_words/model`
    - another one: `edgekws listen work/my_words/model --input "USB PnP"`
    - a recording instead: `edgekws listen work/my_words/model --wav evening.flac`
    """
    if wav is not None and input_ is not None:
        raise ConfigError("--wav stands for the microphone", got="--wav and --input", hint="give one of them")
    if fast and wav is None:
        raise ConfigError("--fast belongs to --wav", got="--fast", hint="a microphone has its own time")
    from edgekws.detect.listener import Listener

    read, graph = subject.graph_of(model)
    settings = subject.settings_of(read, graph, threshold, detector)
    listener = Listener(graph, settings, on or None)
    is_json = as_json or not console.out.is_terminal
    with _source(wav, input_, graph.front_end.rate_hz) as (source, dropped):
        heard = new_heard(source.name, graph, settings)
        heard.changes = source.changes
        pieces = _pieces(source, 0 if fast or wav is None else 1)
        with _display(listener, heard, is_json) as show:
            stopped = _listen(pieces, listener, heard, show, dropped, is_json)
    heard.faults += [fault for fault in source.faults if fault not in heard.faults]
    if dropped():
        heard.faults.append(f"{dropped()} dropped blocks: words may have been missed there")
    say(heard, is_json)
    if isinstance(stopped, signals.Stopped):
        with console.when_stopped("stopped; the events so far are complete"):
            raise stopped
    if not is_json:
        console.next_step("export", "--format", "web", "--out", model)


def _source(wav: Path | None, name: str | None, rate_hz: int) -> AbstractContextManager[tuple[Source, Dropped]]:
    """The recording or the microphone, and how many of its blocks were dropped so far."""
    from edgekws.data.streams import files, live

    if wav is not None:
        return nullcontext((files.opened(user_path(wav), rate_hz), lambda: 0))
    return _counted(live.opened(name, rate_hz))


@contextmanager
def _counted(opened: AbstractContextManager[tuple[Source, Capture]]) -> Iterator[tuple[Source, Dropped]]:
    with opened as (source, capture):
        yield source, lambda: capture.dropped


def _pieces(source: Source, speed: float) -> Iterator[np.ndarray]:
    """Pieces of a tenth of a second. speed: 1 for real time, 0 for as they come."""
    size, done, start = round(source.rate_hz * _PIECE_S), 0, time.monotonic()
    for block in source:
        for at in range(0, len(block), size):
            piece = block[at : at + size]
            done += len(piece)
            if speed:
                time.sleep(max(0.0, start + done / source.rate_hz / speed - time.monotonic()))
            yield piece


def _listen(
    pieces: Iterator[np.ndarray], listener: Listener, heard: Heard, show: Show, dropped: Dropped, is_json: bool
) -> KeyboardInterrupt | None:
    """Until the end, or Ctrl-C or a signal, which is returned."""
    said = 0
    try:
        for piece in pieces:
            events = listener.push(piece)
            heard.samples = listener.samples
            heard.envelope.push(listener.posteriors)
            heard.events += events
            for event in events:
                print_event(event, heard, is_json, live=True)
            show(piece, dropped())
            if dropped() and not said:
                console.warn("a block was dropped: this computer is too slow, or busy with something else")
            said = dropped()
    except KeyboardInterrupt as stopped:
        return stopped
    return None


@contextmanager
def _display(listener: Listener, heard: Heard, is_json: bool) -> Iterator[Show]:
    """Level and top words in the last lines of a terminal; nothing elsewhere."""
    if is_json:
        yield lambda _piece, _dropped: None
        return
    from rich.live import Live

    console.out.print(f"listening to {escape(heard.name)}; Ctrl-C ends", soft_wrap=True)
    for change in heard.changes:
        console.out.print(change, markup=False)
    with Live(console=console.out, transient=True, auto_refresh=False) as live:
        yield lambda piece, dropped: live.update(_lines(listener, heard, piece, dropped), refresh=True)


def _lines(listener: Listener, heard: Heard, piece: np.ndarray, dropped: int) -> str:
    import numpy as np

    from edgekws.detect.timeline import clock_text

    level = 20 * np.log10(max(float(np.abs(piece.astype(int)).max(initial=0)) / 32_768, 1e-6))
    color, length = "red" if level > -1 else "green", _BAR * (1 - level / _FLOOR_DB)
    lost = f"  [red]{dropped} blocks dropped[/]" if dropped else ""
    lines = [f"{clock_text(heard.seconds, 1):>8}  [{color}]{_bar(length)}[/] {level:4.0f} dB{lost}"]
    latest = listener.posteriors.max(axis=0, initial=0)
    for number in np.argsort(-latest, kind="stable")[:_TOP].tolist():
        value = int(latest[number]) / 1000
        lines.append(f"{value:8.2f}  {_bar(_BAR * value)} {escape(heard.keywords[number])}")
    return "\n".join(lines)


def _bar(length: float) -> str:
    filled = round(min(max(length, 0), _BAR))
    return "█" * filled + "░" * (_BAR - filled)
