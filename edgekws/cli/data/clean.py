"""`edgekws data clean` and `edgekws data drop`: detect bad recordings, review them, and remove them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from edgekws.cli import console
from edgekws.cli._options import DATA, DataOption
from edgekws.errors import ConfigError, unknown

if TYPE_CHECKING:
    from edgekws.curate.clean.clips import Clips
    from edgekws.curate.clean.probe import ProbePlan
    from edgekws.curate.clean.rank import Ranking

OUT = Path("work/clean")
RANKING, DECISIONS = "ranking.json", "decisions.json"
_SHOWN = 12


def clean(
    data: DataOption = DATA,
    root: Annotated[Path | None, typer.Option(help="Any folder of word folders, instead of --data.")] = None,
    split: Annotated[list[str] | None, typer.Option(help="train (default), validation, test; may be repeated.")] = None,
    out: Annotated[Path, typer.Option("--out", help="Folder for ranking.json and decisions.json.")] = OUT,
    probe: Annotated[str, typer.Option(help="network (finds more), linear (seconds).")] = "network",
    embedding: Annotated[
        str, typer.Option(help="Input of the linear probe: statistics, or a model of edgekws/curate/embed/models.")
    ] = ("statistics"),
    folds: Annotated[
        int, typer.Option(help="Folds of the cross-validation; each clip is checked by a network trained without it.")
    ] = 3,
    epochs: Annotated[int, typer.Option(help="Training epochs of each network.")] = 8,
    seed: Annotated[int, typer.Option(help="Random seed of folds and networks.")] = 0,
    serve: Annotated[bool, typer.Option(help="Serve the review page; otherwise only rank.")] = True,
    port: Annotated[int, typer.Option(help="Port of the page; 0: any free one.")] = 0,
) -> None:
    """Rank likely bad recordings: unreadable, mislabelled, silent, clipped, cut off, duplicate; listen and decide.

    An existing ranking of the same clips with the same options is read from --out. Every decision is saved at once;
    `edgekws data drop` or `data prepare --decisions` makes a data set without the dropped clips.
    """
    from edgekws.curate.clean.probe import ProbePlan
    from edgekws.data.listing import SPLITS

    plan = ProbePlan(probe, folds, epochs, seed, embedding)  # refuses invalid options before the recordings are read
    for name in split or ():
        if name not in SPLITS:
            raise ConfigError(unknown("--split", name, SPLITS))
    clips = _clips(data, root, split or ["train"])
    ranking = _ranking(clips, plan, out / RANKING)
    _show(ranking)
    console.out.print(f"ranking: {escape(str(out / RANKING))}")
    if serve:
        _serve(clips, ranking, out / DECISIONS, port)
    if (out / DECISIONS).exists():
        of = ("--root", root, "--out", "NEW") if root else ("--data", data)
        console.next_step("data", "drop", *of, "--decisions", out / DECISIONS)


def drop(
    data: DataOption = DATA,
    root: Annotated[Path | None, typer.Option(help="The folder of word folders, instead of --data.")] = None,
    decisions: Annotated[Path, typer.Option(help="decisions.json of `data clean`.")] = OUT / DECISIONS,
    out: Annotated[Path, typer.Option("--out", help="Folder of the new data set.")] = Path("work/data-clean"),
) -> None:
    """Write a data set without the clips dropped in `data clean`, and with its corrected labels.

    The result is a prepared data set; with --root, word folders of links to the recordings, which are not modified.
    `data prepare --decisions` prepares recordings without the dropped clips in one step.
    """
    from edgekws.curate.clean import links
    from edgekws.data import dataset
    from edgekws.data import decisions as deciding

    decided = deciding.load(decisions)
    if root is not None:
        count = links.write(root, decided, out)
        console.out.print(f"{deciding.summary(decided)}; {count} links in {escape(str(out))}")
        console.next_step("data", "prepare", "--root", out, "--source", "folder")
        console.next_step("embed", out, "--out", "EMBEDDINGS")
        return
    with console.progress() as report:
        made = deciding.apply(dataset.load(data), decided, out, report)
    sizes = ", ".join(f"{len(split)} {name}" for name, split in made.splits.items())
    where = f"{sizes} in {escape(str(made.folder))}, hash {made.sha256[:16]}"
    console.out.print(f"{deciding.summary(decided)}; {where}")


def _clips(data: Path, root: Path | None, splits: list[str]) -> Clips:
    from edgekws.curate.clean import clips
    from edgekws.data import dataset
    from edgekws.features.spec import FeatureSpec

    if root is None:
        return clips.of_dataset(dataset.load(data), splits)
    if splits != ["train"]:
        raise ConfigError("a folder of recordings has no splits", got=f"--root with --split {', '.join(splits)}")
    with console.progress() as report:
        return clips.of_folder(root, FeatureSpec().rate_hz, FeatureSpec().clip_samples, report)


def _ranking(clips: Clips, plan: ProbePlan, path: Path) -> Ranking:
    from edgekws.curate.clean import rank

    if path.exists():
        saved = rank.load(path)
        if saved.sha256 == clips.sha256 and saved.plan == plan:
            return saved
    with console.progress() as report:
        made = rank.rank(clips, plan, report)
    rank.save(made, path)
    return made


def _show(ranking: Ranking) -> None:
    for reason, clips in ranking.counts().items():
        console.out.print(f"{reason}: {clips} of {len(ranking.entries)} clips")
    table = Table("score", "clip", "label", "why", box=None)
    for entry in ranking.entries[:_SHOWN]:
        why = "; ".join(f"{reason.reason}: {reason.detail}" for reason in entry.reasons)
        table.add_row(f"{entry.score:.2f}", escape(entry.id), escape(entry.label), escape(why))
    console.out.print(table)
    if ranking.caveat():
        console.out.print(f"[yellow]note:[/] {ranking.caveat()}")


def _serve(clips: Clips, ranking: Ranking, path: Path, port: int) -> None:
    from edgekws.curate.clean.review import Review
    from edgekws.curate.clean.server import serve, url_of

    with serve(Review(clips, ranking, path), port) as server:
        console.out.print(
            f"listen and decide at {url_of(server)} (this machine only; Ctrl-C ends it, and --no-serve only ranks)"
        )
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            console.out.print(f"decisions: {escape(str(path))}")
