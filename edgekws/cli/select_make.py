"""`edgekws select convert` and `make-experiment`: files of the challenge from other ones."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from edgekws import console


def convert(
    source: Annotated[Path, typer.Argument(help="A selection or a pool of the challenge; its content says which.")],
    out: Annotated[Path, typer.Argument(help="The file to write; a folder for --to parquet.")],
    form: Annotated[
        str,
        typer.Option("--to", help="npz, ids, json, yaml, pb or parquet (see above). Default: what OUT's name says."),
    ] = "",
    input_samples: Annotated[
        Path | None,
        typer.Option(
            "--input-samples", "--input_samples", help="samples.pb that a first-generation selection chooses from."
        ),
    ] = None,
    embeddings: Annotated[
        Path | None, typer.Option("--embeddings", help="Folder of word.parquet files, for --to pb.")
    ] = None,
    evaluation: Annotated[
        bool, typer.Option("--evaluation", help="The pool is an eval.pb: write eval.yaml and eval_embeddings.")
    ] = False,
) -> None:
    """Write a selection or a pool in another form. What does not go into a form is refused, with the reason.

    Selections: `npz` (train.npz) and `ids` (train.yaml with target_ids) of the first generation, `json`
    (en_25_train.json) and `yaml` (targets, nontargets) of today's. All go into each other; to and from npz, and from
    today's to the first, --input-samples tells vectors and ids. A .yaml from a train.npz is `ids`, any other `yaml`.

    Pools: `pb` (samples.pb, eval.pb) and `parquet` (a new folder with word.parquet files and
    allowed_training_set.yaml or eval.yaml); back with --embeddings.

    The first generation has one class of targets: lists of several target words have no form there.

    Examples: `edgekws select convert train.npz train.yaml --input-samples samples.pb`,
    `edgekws select convert eval.pb bird --evaluation`,
    `edgekws select convert allowed_training_set.yaml samples.pb --embeddings train_embeddings`
    """
    from edgekws.dataperf import convert as converting

    request = converting.Request(source, out, form, input_samples, embeddings, evaluation)
    done = converting.convert(request)
    for note in done.notes:
        console.err.print(f"[yellow]warning:[/] {escape(note)}")
    console.out.print(escape(done.said))
    console.out.print(f"written: {escape(str(out))}")
