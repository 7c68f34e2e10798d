"""One clip through the device, with its name in every error."""

from __future__ import annotations

from edgekws.errors import BoardError, EdgeKwsError, ProtocolError
from firmware_io.bench.modes import Setup
from firmware_io.protocol.session import Answer

FLASH = "flash the firmware that was built from this graph: edgekws flash"


def classify(setup: Setup, index: int) -> Answer:
    """The answer to clip `index`. Raises ProtocolError when it has other labels than the graph."""
    try:
        answer = setup.session.classify(setup.vectors.features[index])
    except EdgeKwsError as error:
        clip = setup.vectors.ids[index]
        raise type(error)(f"clip {clip}: {error.expected}", got=error.got, hint=error.hint) from error
    labels = len(setup.graph.labels)
    if {len(answer.permille), len(answer.scores or answer.permille)} != {labels}:
        got = f"{len(answer.permille)} probabilities and {len(answer.scores or ())} scores"
        raise ProtocolError(f"the device should give {labels} answers for a clip", got=got, hint=FLASH)
    return answer


def require_this_graph(setup: Setup, index: int) -> None:
    """Load and classify clip `index`: figures of a device that holds another model are figures of nothing.

    Raises BoardError unless scores (or probabilities, where the device has no `raw`) equal the interpreter's.
    """
    answer, (scores, permille) = classify(setup, index), setup.expected(index)
    wanted, got = (permille, answer.permille) if answer.scores is None else (scores, answer.scores)
    if got != wanted:
        raise BoardError(
            f"clip {setup.vectors.ids[index]}: the device should answer as the interpreter does, {list(wanted)}",
            got=f"{list(got)}: it holds another model, or its kernels are wrong",
            hint=f"{FLASH}; `edgekws bench --mode accuracy` counts every answer that differs",
        )
