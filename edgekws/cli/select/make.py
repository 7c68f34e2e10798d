"""`edgekws select convert` and `make-experiment`: make files of the challenge."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from edgekws.cli import console


def convert(
    source: Annotated[Path, typer.Argument(help="A selection or a pool of the challenge; the content tells which.")],
    out: Annotated[Path, typer.Argument(help="The file to write; a folder for --to parquet.")],
    form: Annotated[
        str,
        typer.Option("--to", help="npz, ids, json, yaml, pb or parquet (see above). Default: from the name of OUT."),
    ] = "",
    input_samples: Annotated[
        Path | None,
        typer.Option("--input-samples", help="samples.pb, the pool of a first-generation selection."),
    ] = None,
    embeddings: Annotated[
        Path | None, typer.Option("--embeddings", help="Folder of word.parquet files, for --to pb.")
    ] = None,
    evaluation: Annotated[
        bool, typer.Option("--evaluation", help="The pool is an eval.pb: write eval.yaml and eval_embeddings.")
    ] = False,
) -> None:
    """Convert a selection or a pool to another format. Refuses what a format cannot express, and says why.

    Selections: `npz` (train.npz) and `ids` (train.yaml with target_ids) of the first generation, `json`
    (en_25_train.json) and `yaml` (targets, nontargets) of the current one. Each converts to any other; to and from npz,
    and from the current generation to the first, --input-samples supplies vectors and ids. A train.npz becomes a .yaml
    in the form `ids`, anything else one in the form `yaml`.

    Pools: `pb` (samples.pb, eval.pb) and `parquet` (a new folder with word.parquet files and
    allowed_training_set.yaml or eval.yaml); back with --embeddings.

    The first generation has one class of targets; lists of several target words cannot be converted to it.

    Examples: `edgekws select convert train.npz train.yaml --input-samples samples.pb`,
    `edgekws select convert eval.pb bird --evaluation`,
    `edgekws select convert allowed_training_set.yaml samples.pb --embeddings train_embeddings`
    """
    from edgekws.curate.dataperf import convert as converting

    request = converting.Request(source, out, form, input_samples, embeddings, evaluation)
    done = converting.convert(request)
    for note in done.notes:
        console.warn(note)
    console.out.print(escape(done.summary))
    console.out.print(f"written: {escape(str(out))}")


def make_experiment(
    embeddings: Annotated[Path, typer.Argument(help="Folder of word.parquet files, as `edgekws embed` writes it.")],
    out: Annotated[Path, typer.Argument(help="The new folder.")],
    target: Annotated[list[str], typer.Option("--target", help="A word to detect. May be repeated.")],
    splits: Annotated[
        Path | None, typer.Option("--splits", help="LANGUAGE_splits.csv of Multilingual Spoken Words.")
    ] = None,
    recordings: Annotated[
        Path | None,
        typer.Option("--recordings", help="Speech Commands: folder with validation_list.txt and testing_list.txt."),
    ] = None,
    words: Annotated[
        int | None,
        typer.Option(min=1, help="Number of other words, sampled.", show_default="200, or all when there are fewer"),
    ] = None,
    known: Annotated[
        int | None, typer.Option(min=1, help="How many of them are also in the pool.", show_default="half")
    ] = None,
    train_clips: Annotated[int, typer.Option(min=0, help="Clips of each known word in the pool.")] = 100,
    eval_clips: Annotated[int, typer.Option(min=0, help="Clips of each known word in the evaluation set.")] = 100,
    judge: Annotated[
        list[str] | None,
        typer.Option("--judge", help="dev or test: splits of the evaluation set.", show_default="both"),
    ] = None,
    by_split: Annotated[
        bool,
        typer.Option(
            "--by-split", help="Other words respect the splits, too; the numbers of clips are limits, 0 is all."
        ),
    ] = False,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Seed of the sampling.")] = 0,
) -> None:
    """Make a challenge of your own, a selection pool and an evaluation set, sampled as DataPerf's are.

    The pool has the targets' clips of the training split, the evaluation set those of dev and test. Of the other words,
    --known are in both; the rest, unknown to every selection, are in the evaluation set only.

    Splits are those of --splits or --recordings; without either, a hash of the speaker (of the name before `_nohash_`,
    else of the whole name) assigns 80 % to train.

    Example, with no speaker in both sets: `edgekws select make-experiment work/embeddings work/challenge
    --target yes --target no --by-split`
    """
    from edgekws.curate.dataperf import experiment
    from edgekws.curate.dataperf import splits as splitting
    from edgekws.errors import ConfigError

    if splits and recordings:
        raise ConfigError(
            "an experiment takes its splits from one place", got="--splits and --recordings", hint="omit one"
        )
    chosen = tuple(judge) if judge else (splitting.DEV, splitting.TEST)
    plan = experiment.Plan(tuple(target), words or 0, known or 0, train_clips, eval_clips, chosen, by_split, seed)

    def split_of(taking: list[str]) -> splitting.SplitOf:
        if splits:
            return splitting.of_csv(splits, taking)
        return splitting.of_recordings(recordings) if recordings else splitting.of_speaker

    with console.progress() as report:
        made = experiment.make(embeddings, split_of, plan, out, report)
    for name, listed in (("pool", made.pool), ("evaluation", made.evaluation)):
        counts = [f"{escape(word)} {len(ids):,}" for word, ids in listed.targets.items()]
        console.out.print(
            f"{name}: {listed.size:,} clips ({', '.join(counts)}, other words {len(listed.nontargets):,})"
        )
    console.out.print(f"other words: {len(made.known)} known, {len(made.unknown)} evaluated only")
    console.out.print(f"written: {escape(str(out))}")
    console.next_step("select", "run", "--data", out, "--train-size", "25")
