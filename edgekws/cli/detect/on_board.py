"""`edgekws detect --board`: the same sound on a board, and whether it hears the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.table import Table

from edgekws.cli import console

if TYPE_CHECKING:
    import numpy as np

    from edgekws.cli.detect.detect import Heard, Hearing
    from edgekws.detect.settings import Settings
    from edgekws.graph.ir import Graph
    from edgekws.types import Detection
    from firmware_io.listening.board import Listener


@contextmanager
def hearing(
    name: str, port: str, graph: Graph, settings: Settings, on: str, real_time: bool, histogram: bool
) -> Iterator[Hearing]:
    """Streams through the board `name`. Raises ParityError after a stream in which it heard something else.

    histogram: at the end, compare what it has counted with the validation.
    """
    from edgekws.cli.boards import locks
    from edgekws.cli.boards.measure import Options, port_of
    from firmware_io import board as boards
    from firmware_io.listening import mirror
    from firmware_io.protocol import probe

    board = boards.load(name)
    url = probe.resolved(port_of(Options(board=name, port=port), board, stream=True))
    with locks.board(url, name), mirror.connected(board, graph, settings, url) as listener:
        if mirror.adopt(listener, settings):
            console.warn(f"{name} had other thresholds; it has those of the model until its next reset")

        def hear(blocks: Iterable[np.ndarray], heard: Heard) -> Iterator[Detection]:
            both = mirror.Both(listener, graph, settings, on or None)
            yield from both.events(_drawn(blocks, both, heard), real_time)
            comparison = both.comparison()
            for line in comparison.lines():
                console.err.print(f"{name}: {line}", markup=False, soft_wrap=True)
            comparison.require(name)

        yield hear
        if histogram:
            _show_drift(listener, settings, name)


def _drawn(blocks: Iterable[np.ndarray], both: object, heard: Heard) -> Iterator[np.ndarray]:
    """The blocks; the posteriors that this computer has after each are kept for the timeline."""
    from firmware_io.listening.mirror import Both

    assert isinstance(both, Both)
    for block in blocks:
        yield block
        heard.envelope.push(both.host.posteriors)


def _show_drift(listener: Listener, settings: Settings, name: str) -> None:
    import numpy as np

    from firmware_io.listening import drift

    counts, reference = listener.histogram(), settings.how.get("histogram")
    if reference is None:
        console.warn(
            "the detector has no histogram of its validation, so there is nothing to compare with: "
            "edgekws detect-eval writes one"
        )
        return
    table = Table("word", "steps", "PSI", "p >= 0.5 on the board", "in validation", "verdict", box=None)
    for row in drift.compared(settings.keywords, counts, np.array(reference)):
        shares = [f"{100 * share:.3f} %" for share in row.often]
        table.add_row(row.keyword, str(row.steps), f"{row.psi:.3f}", *shares, row.verdict)
    console.err.print(f"{name}: posteriors since its start, against the background of the validation", markup=False)
    console.err.print(table)
