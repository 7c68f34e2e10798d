"""A board as an executor: features go to it over its port, its integer scores come back."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from edgekws.errors import BoardError
from edgekws.graph.executor import Executor, checked_features
from edgekws.graph.ir import Graph
from edgekws.types import Progress
from firmware_io import build
from firmware_io.bench import build_check
from firmware_io.board import Board
from firmware_io.protocol.session import Session
from firmware_io.transport import open_transport


@contextmanager
def executor(
    board: Board, graph: Graph, model: Mapping[str, bytes], url: str, progress: Progress
) -> Iterator[Executor]:
    """A function int8 [n, frames, coefficients] -> int8 scores [n, labels] that the board computes.

    model: the C of `graph` (edgekws.emit.c), which is built for the board; a physical board has to hold it already.
    url: of its transport. progress: for each call with more than one clip. Raises BoardError when it cannot be built or
    reached, when it runs another build, and when it reports no scores.
    """
    with tempfile.TemporaryDirectory(prefix="edgekws-board-") as folder:
        firmware = build.build(board, model, Path(folder) / f"{board.name}.elf")
        with open_transport(url, firmware.elf) as transport:
            session = Session(transport)
            session.start()
            build_check.compared(board, session, firmware)

            def run(features: np.ndarray) -> np.ndarray:
                clips = checked_features(features, graph.clip_shape)
                scores = np.zeros((len(clips), len(graph.labels)), np.int8)
                for number, clip in enumerate(clips):
                    scores[number] = _scores(session, clip, len(graph.labels))
                    if len(clips) > 1:
                        progress(board.name, number + 1, len(clips))
                return scores

            yield run


def _scores(session: Session, clip: np.ndarray, labels: int) -> tuple[int, ...]:
    answer = session.classify(clip)
    if answer.scores is None or len(answer.scores) != labels:
        got = "none: it does not know `raw`" if answer.scores is None else f"{len(answer.scores)}"
        hint = "flash the firmware of this model: edgekws flash"
        raise BoardError(f"the device should report {labels} scores of a clip", got=got, hint=hint)
    return answer.scores
