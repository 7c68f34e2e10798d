"""`edgekws data record`: words from the microphone, one clip after the other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from edgekws.cli import console
from edgekws.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from edgekws.data.microphone import Device, Source

_BLOCK_S = 0.05
_BAR, _FLOOR_DB = 40, -60.0
KEEP, AGAIN, SKIP, QUIT = "", "r", "s", "q"
_MOST_FAILURES = 5


def record(
    words: Annotated[str, typer.Option(help="Words to record, with commas: yes,no.")] = "",
    out: Annotated[Path, typer.Option("--out", help="Folder of the recordings; a folder per word.")] = Path("my_words"),
    count: Annotated[int, typer.Option(min=1, help="Recordings of each word, those already there included.")] = 30,
    speaker: Annotated[
        str | None, typer.Option(help="Name of who speaks.", show_default="asked once, and remembered in --out")
    ] = None,
    seconds: Annotated[float, typer.Option(min=0.3, max=600, help="Length; `data prepare` cuts to the word.")] = 1.5,
    countdown: Annotated[float, typer.Option(min=0, max=10, help="Seconds before each recording.")] = 1.0,
    auto: Annotated[bool, typer.Option(help="Keep good recordings without asking, and repeat the others.")] = False,
    input_: Annotated[
        str | None, typer.Option("--input", help="Name or number of the microphone.", show_default="the system's")
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="List the microphones and exit.")] = False,
) -> None:
    """Record words from the microphone into a folder per word.

    After each recording: Enter keeps it, r repeats it, s goes to the next word, q ends. Clipped and silent recordings
    are noticed. The same command again goes on where it was.
    """
    from edgekws.data import microphone, takes

    if list_:
        _list(microphone.devices())
        return
    names = takes.words(words)
    out = out.expanduser()
    with console.when_stopped(f"stopped; what was recorded is in {out}, and the same command goes on"):
        name = takes.keep_speaker(out, speaker or takes.known_speaker(out) or _asked())
        with microphone.opened(input_) as source:
            _record_all(source, names, out, name, count, _Plan(seconds, countdown, auto))
    console.next_step("data", "prepare", out)


class _Plan:
    """How each recording is made."""

    def __init__(self, seconds: float, countdown: float, auto: bool) -> None:
        self.seconds, self.countdown, self.auto = seconds, countdown, auto


def _record_all(source: Source, words: list[str], out: Path, speaker: str, count: int, plan: _Plan) -> None:
    from edgekws.data import takes

    for word in words:
        answer, failed = KEEP, 0
        while answer not in (SKIP, QUIT) and (there := len(takes.paths(out, word, speaker))) < count:
            answer = _record_one(source, word, out, speaker, f"{word} {there + 1} of {count}", plan)
            failed = failed + 1 if answer == AGAIN else 0
            if plan.auto and failed == _MOST_FAILURES:
                got = f"{failed} in a row that were not kept"
                hint = "edgekws data record --list shows the inputs; without --auto you decide"
                raise ConfigError("recordings should hold a word", got=got, hint=hint)
        console.out.print(f"{word}: {len(takes.paths(out, word, speaker))} of {count} by {speaker}", markup=False)
        if answer == QUIT:
            return


def _record_one(source: Source, word: str, out: Path, speaker: str, title: str, plan: _Plan) -> str:
    """Record once, and keep it when the answer is to keep it; the answer."""
    from edgekws.data import takes

    samples = _capture(source, title, plan)
    wrong = takes.problem(samples)
    if wrong:
        console.err.print(f"[yellow]{title}:[/] {wrong}")
    answer = (AGAIN if wrong else KEEP) if plan.auto else _answer(title, wrong)
    if answer == KEEP:
        takes.save(takes.next_path(out, word, speaker), samples)
    return answer


def _capture(source: Source, title: str, plan: _Plan) -> np.ndarray:
    """int16 [n] at the rate of the data sets, with a level meter during countdown and recording."""
    import numpy as np

    from edgekws.data import audio
    from edgekws.data.listing import RATE_HZ

    block = round(source.rate_hz * _BLOCK_S)
    taken: list[np.ndarray] = []
    source.drop()
    with _meter() as show:
        for number in range(round(plan.countdown / _BLOCK_S)):
            show(f"{title}: in {plan.countdown - number * _BLOCK_S:.1f} s", source.read(block))
        for _ in range(max(1, round(plan.seconds / _BLOCK_S))):
            taken.append(source.read(block))
            show(f"{title}: speak now", taken[-1])
    return audio.convert(np.concatenate(taken)[:, None], source.rate_hz, RATE_HZ)


@contextmanager
def _meter() -> Iterator[Callable[[str, np.ndarray], None]]:
    """Shows a text and the level of some samples, on a terminal alone."""
    if not console.err.is_terminal:
        yield lambda _text, _samples: None
        return
    from rich.live import Live

    with Live(console=console.err, transient=True, auto_refresh=False) as live:

        def show(text: str, samples: np.ndarray) -> None:
            live.update(f"{text:28} {_level(samples)}", refresh=True)

        yield show


def _level(samples: np.ndarray) -> str:
    """A bar from -60 dB to full scale."""
    import numpy as np

    level = 20 * np.log10(max(float(np.abs(samples).max(initial=0)), 1e-6))
    filled = round(_BAR * min(1.0, max(0.0, 1 - level / _FLOOR_DB)))
    color = "red" if level > -1 else "green"
    return f"[{color}]{'█' * filled}[/]{'░' * (_BAR - filled)} {level:4.0f} dB"


def _answer(title: str, wrong: str) -> str:
    usual = "Enter repeats, k keeps" if wrong else "Enter keeps, r repeats"
    given = typer.prompt(f"{title}: {usual}, s next word, q ends", default="", show_default=False, err=True)
    answer = str(given).strip().lower()[:1]
    if answer in (SKIP, QUIT, AGAIN):
        return answer
    return AGAIN if wrong and answer != "k" else KEEP


def _asked() -> str:
    return str(typer.prompt("Your name (a part of the names of the files)", err=True))


def _list(found: list[Device]) -> None:
    if not found:
        raise ConfigError("this computer should have a microphone", got="no input", hint="connect one")
    table = Table("", "name", "channels", "rate", box=None)
    for each in found:
        number = f"{each.number}{'*' if each.default else ''}"
        table.add_row(number, escape(each.name), f"{each.channels}", f"{each.rate_hz} Hz")
    console.out.print(table)
