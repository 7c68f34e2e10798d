"""Options that several commands of `edgekws select` share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DataOption = Annotated[
    Path | None,
    typer.Option(
        "--data",
        help="Folder of a challenge, as make-experiment writes it.",
        show_default="workspace/data/dataperf_LANGUAGE_data",
    ),
]
AllowedOption = Annotated[
    Path | None,
    typer.Option("--allowed-training-set", help="Clip ids of the pool.", show_default="DATA/allowed_training_set.yaml"),
]
TrainVectorsOption = Annotated[
    Path | None,
    typer.Option(
        "--train-embeddings-dir",
        help="Embeddings of the pool, one word.parquet per word.",
        show_default="DATA/train_embeddings",
    ),
]
