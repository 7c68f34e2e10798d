"""`edgekws embed`: compute embeddings of recordings with any model that follows the HEAR API."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from edgekws.cli import console
from edgekws.errors import ConfigError

if TYPE_CHECKING:
    from edgekws.curate.embed import Index, Request
    from edgekws.curate.embed.hear_check import Finding

_SHOWN = 10


def embed(
    source: Annotated[
        Path | None, typer.Argument(help="A folder of word folders, or a data set made by `data prepare`.")
    ] = None,
    model: Annotated[
        str, typer.Option(help="logmel, dscnn, wav2vec2; or a module or a .py file that follows the HEAR API.")
    ] = "dscnn",
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder of the embeddings: a parquet file per word, index.json.")
    ] = None,
    timestamps: Annotated[
        Path | None,
        typer.Option(help="Folder of timestamp embeddings, a vector per time step; with --out or alone."),
    ] = None,
    check: Annotated[
        str | None, typer.Option(help="Validate this module against the HEAR API, and embed nothing.")
    ] = None,
    weights: Annotated[str, typer.Option(help="Weights of the model: the model_file_path of load_model.")] = "",
    option: Annotated[
        list[str] | None, typer.Option(help="name=value for the model's load_model; may be repeated.")
    ] = None,
    split: Annotated[str | None, typer.Option(help="Split of a prepared data set.", show_default="train")] = None,
    clip_ms: Annotated[
        int, typer.Option(min=0, help="Clips are padded or cut to this length; 0 keeps their length.")
    ] = 1_000,
    batch: Annotated[int, typer.Option(min=1, help="Clips of one second in a batch.")] = 64,
    workers: Annotated[
        int, typer.Option(min=0, help="Processes; 0 is one per core. The result does not depend on it.")
    ] = 0,
    engine: Annotated[
        str, typer.Option(help="Where workers run: process (this computer), ray (a cluster).")
    ] = "process",
    device: Annotated[str, typer.Option(help="Name of the torch device: cpu, cuda, mps.")] = "cpu",
    strict: Annotated[bool, typer.Option(help="Fail when a recording cannot be embedded.")] = False,
) -> None:
    """Compute one vector per recording, for the data track: a parquet file per word and an index.

    A stopped or killed run continues with the same command; with more recordings, only changed words are computed
    again. Unusable recordings are skipped, and the index has the reasons.
    """
    options = _options(option or [])
    if check is not None:
        _check(check, weights, options, device)
        return
    folders = [(folder, folder is timestamps) for folder in (out, timestamps) if folder is not None]
    if source is None or not folders:
        hint = "edgekws embed RECORDINGS --model dscnn --out FOLDER, or edgekws embed --check MODULE"
        got = "no recordings" if source is None else "no --out"
        raise ConfigError("embed needs recordings and a folder for the result", got=got, hint=hint)
    _require_two(out, timestamps)
    from edgekws.curate.embed import ModelSpec, Request, Settings

    spec = ModelSpec(model, weights, options, device)
    for folder, times in folders:
        settings = Settings(clip_ms, batch, times)
        _run(Request(source, folder, spec, settings, split, workers, strict, engine))
    if out is not None:
        console.next_step("select", "make-experiment", out, "CHALLENGE", "--target", "WORD", "--by-split")
        console.next_step("select", "shards", out, "--size", "1000")


def _require_two(out: Path | None, timestamps: Path | None) -> None:
    """Neither below the other: readers of a folder of embeddings take all files below it."""
    if out is None or timestamps is None:
        return
    one, other = out.resolve(), timestamps.resolve()
    if one in (other, *other.parents) or other in one.parents:
        raise ConfigError("--timestamps should be a folder beside --out, not in it", got=f"{out} and {timestamps}")


def _run(request: Request) -> None:
    from edgekws.curate import embed as library

    began = time.monotonic()
    with console.progress() as report:
        index = library.run(request, report)
    _show(index, time.monotonic() - began)


def _options(given: list[str]) -> dict[str, Any]:
    """Values are JSON where they can be: numbers, true, lists; text otherwise."""
    parsed: dict[str, Any] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name.isidentifier():
            raise ConfigError("an option of the model should be name=value", got=text)
        try:
            parsed[name] = json.loads(value)
        except ValueError:
            parsed[name] = value
    return parsed


def _check(name: str, weights: str, options: dict[str, Any], device: str) -> None:
    """Raises ConfigError (exit code 4) when there is an error."""
    from edgekws.curate.embed import hear_check

    findings = hear_check.check_module(name, weights, options, device)
    errors = [each for each in findings if each.level == "error"]
    if findings:
        console.out.print(_findings(findings))
    if errors:
        more = f" (and {len(errors) - 1} more above)" if len(errors) > 1 else ""
        got = errors[0].text.rstrip(".") + more
        raise ConfigError(f"{name} should follow the HEAR API", got=got)
    console.out.print(f"{name} follows the HEAR API" + (", with the warnings above" if findings else ""))


def _findings(findings: list[Finding]) -> Table:
    table = Table("", "check", "what", box=None)
    for each in findings:
        color = "red" if each.level == "error" else "yellow"
        table.add_row(f"[{color}]{each.level}[/]", each.check, each.text.replace("[", "\\["))
    return table


def _show(index: Index, seconds: float) -> None:
    model = index.about["model"]
    unit = "per time step" if index.about["settings"].get("timestamps") else "each"
    console.out.print(
        f"{index.folder}: {index.clips:,} clips of {len(index.words)} words, {model['dimensions']} numbers {unit}, by "
        f"{model['name']} in {seconds:.1f} s"
    )
    if not index.skipped:
        return
    every = index.clips + len(index.skipped)
    console.out.print(f"[yellow]skipped:[/] {len(index.skipped):,} of {every:,} recordings, listed in index.json")
    for each in index.skipped[:_SHOWN]:
        console.out.print(f"  {each.id}: {each.reason}".replace("[", "\\["))
    if len(index.skipped) > _SHOWN:
        console.out.print(f"  and {len(index.skipped) - _SHOWN} more")
