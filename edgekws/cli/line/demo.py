"""`edgekws demo`: the whole line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgekws.cli import console
from edgekws.cli._options import (
    BOARD,
    RECIPE,
    BoardOption,
    OutOption,
    RootOption,
    changed_recipe,
    read_recipe,
)
from edgekws.cli.boards import flash, measure
from edgekws.cli.data import prepare as recordings
from edgekws.cli.line import export, page, quantize, train
from edgekws.errors import DataError

if TYPE_CHECKING:
    from edgekws.data.dataset import Dataset


_LISTENER, _STREAM_CLIPS = "dscnn_stream", 6


def demo(
    root: RootOption = None,
    board: BoardOption = BOARD,
    out: OutOption = Path("work/demo"),
    steps: Annotated[
        int, typer.Option(help="Training steps; the recipe of models/dscnn takes about 9,600.", min=1)
    ] = 1_300,
    clips: Annotated[int, typer.Option(help="Test clips to send over serial; 0 is all.", min=0)] = 500,
) -> None:
    """The whole line in a few minutes: recordings, a short training, the integer graph, a measured board.

    Without recordings and without a network it synthesizes speech (espeak-ng), and says so.
    """
    from firmware_io import board as boards

    boards.load(board)  # an unknown one is refused before anything takes minutes
    data = _data(recordings.root_of(root), out / "data")
    chosen = read_recipe(RECIPE, None, None)
    per_epoch = max(1, len(data.splits["train"]) // chosen.train.batch)
    epochs = max(1, round(steps / per_epoch))
    chosen = changed_recipe(chosen, train={**chosen.train.model_dump(), "epochs": epochs})
    chosen = changed_recipe(chosen, name="demo", quant={**chosen.quant.model_dump(), "method": "ptq"})
    model = out / f"{data.sha256[:8]}-{epochs}-epochs"  # other recordings or steps give another model
    train.run(chosen, data.folder, model)
    quantize.run(chosen, data.folder, model)
    export.run(data.folder, model)
    flash.load(board, model, dry_run=False)
    measure.measure(measure.Options(board, data.folder, model, clips))
    _listen(board, data, out)


def _listen(board: str, data: Dataset, out: Path) -> None:
    """Words one after the other, through the firmware that listens with the released model; then its page."""
    import numpy as np

    from edgekws import models
    from edgekws.cli.detect.detect import detect
    from edgekws.files import write_bytes
    from edgekws.report import attached

    if _LISTENER not in models.names():
        console.warn(f"the demo ends without a stream: there is no released model {_LISTENER} in this version")
        return
    test = data.splits["test"]
    chosen = np.linspace(0, len(test) - 1, _STREAM_CLIPS).astype(int)
    path = out / "stream.wav"
    sound = np.concatenate([test.samples[at] for at in chosen])
    write_bytes(path, attached.wav_bytes(attached.ShownClip(0, sound, data.rate_hz)))
    detect(models.folder(_LISTENER), [str(path)], board=board)
    page.write(models.folder(_LISTENER), out / "listen.html")


def _data(root: Path | None, out: Path) -> Dataset:
    """The recordings given, else downloaded, else synthesized."""
    try:
        return recordings.prepared("speech_commands", root, out)
    except DataError as error:
        if root is not None:
            raise
        console.err.print(f"[yellow]no recordings:[/] {error}")
        console.err.print("[bold yellow]falling back on SYNTHETIC SPEECH: the line is real, its accuracy is not[/]")
        return recordings.prepared("synthetic", None, out)
