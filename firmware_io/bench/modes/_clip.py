"""Classify one clip on the device; every error names the clip."""

from __future__ import annotations

from edgekws.errors import BoardError, ProtocolError
from firmware_io.bench.modes import Setup
from firmware_io.protocol.session import Answer

FLASH = "flash the firmware that was built from this graph: edgekws flash"


def classify(setup: Setup, index: int) -> Answer:
    """The answer to clip `index`.

    Raises ProtocolError for another number of labels than the graph's, and what Session.classify raises.
    """
    try:
        answer = setup.session.classify(setup.vectors.features[index])
    except (
        BoardError,
        ProtocolError,
    ) as error:  # any other error, such as a full disk, has nothing to do with the clip
        clip = setup.vectors.ids[index]
        raise type(error)(f"clip {clip}: {error.expected}", got=error.got, hint=error.hint) from error
    labels = len(setup.graph.labels)
    if {len(answer.permille), len(answer.scores or answer.permille)} != {labels}:
        got = f"{len(answer.permille)} probabilities and {len(answer.scores or ())} scores"
        raise ProtocolError(f"the device should give {labels} answers for a clip", got=got, hint=FLASH)
    return answer


def require_this_graph(setup: Setup, index: int) -> None:
    """Classify clip `index` before anything is timed: latency and energy of another model would be meaningless.

    Raises BoardError unless the scores (the probabilities, where the device has no `raw`) equal the interpreter's.
    """
    answer, (scores, permille) = classify(setup, index), setup.expected(index)
    expected, got = (permille, answer.permille) if answer.scores is None else (scores, answer.scores)
    if got != expected:
        raise BoardError(
            f"clip {setup.vectors.ids[index]}: the device should answer as the interpreter does, {list(expected)}",
            got=f"{list(got)}: it holds another model, or its kernels are wrong",
            hint=f"{FLASH}; `edgekws bench --mode accuracy` counts every answer that differs",
        )
