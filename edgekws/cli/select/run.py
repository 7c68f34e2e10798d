"""`edgekws select run`: choose clips from a pool, by a selector of ours or a user's, openly or behind a wall."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from edgekws.cli import console
from edgekws.cli.select.options import AllowedOption, DataOption, TrainVectorsOption
from edgekws.errors import ConfigError

if TYPE_CHECKING:
    from edgekws.curate.select import Pool, Selection

SELECTOR = "honed"
_TIME_LIMIT_S, _MEMORY_LIMIT_MIB = 600.0, 4096
_SIZE, _FIRST_SIZE = 25, 20


@dataclass(frozen=True)
class _Choice:
    """What is to be chosen, by whom. config: values of the challenge's configuration, for a strategy class."""

    selector: str
    size: int
    seed: int
    config: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _Wall:
    name: str
    image: str
    seconds: float
    memory_mib: int


def run(
    selector: Annotated[
        str,
        typer.Option(help="A name of --list, file.py, file.py:Class or module:Class.", show_default="honed"),
    ] = "",
    language: Annotated[
        str, typer.Option("--language", help="en, id, pt, ...: names the default folder and the result.")
    ] = "en",
    train_size: Annotated[
        int | None, typer.Option(min=1, help="Clips at most.", show_default="25; 20 of --input-samples")
    ] = None,
    data: DataOption = None,
    allowed: AllowedOption = None,
    embeddings: TrainVectorsOption = None,
    input_samples: Annotated[Path | None, typer.Option(help="samples.pb of the first generation, instead.")] = None,
    config_file: Annotated[Path | None, typer.Option(help="YAML: a strategy class, a seed.")] = None,
    outdir: Annotated[Path, typer.Option("--outdir", help="Folder of the selection.")] = Path(),
    seed: Annotated[int | None, typer.Option(min=0, show_default="of the configuration, or 0")] = None,
    sealed: Annotated[
        bool, typer.Option("--sealed", help="Without network, with limits, one folder to write.")
    ] = False,
    wall: Annotated[str, typer.Option(help="auto, container, bubblewrap, namespaces, plain; with --sealed.")] = "auto",
    image: Annotated[str, typer.Option(help="Container image with edgekws; with --sealed.")] = "",
    time_limit: Annotated[
        float | None, typer.Option(min=0.1, help="Seconds; with --sealed.", show_default=f"{_TIME_LIMIT_S:g}")
    ] = None,
    memory_limit: Annotated[
        int | None,
        typer.Option(min=64, help="MiB of all processes; with --sealed.", show_default=f"{_MEMORY_LIMIT_MIB}"),
    ] = None,
    list_selectors: Annotated[bool, typer.Option("--list", help="Only list the selectors.")] = False,
) -> None:
    """Choose the clips to learn from; writes `LANGUAGE_SIZE_train.json`, or `train.npz` for --input-samples.

    Example: `edgekws select run --data work/challenge --train-size 60 --sealed`

    From data larger than memory: `edgekws select shards`.
    """
    from edgekws.curate.dataperf import commands
    from edgekws.curate.dataperf.formats import lists

    if list_selectors:
        return _list()
    choice = _choice(selector, train_size or (_FIRST_SIZE if input_samples else _SIZE), seed, config_file)
    behind = _wall(sealed, wall, image, time_limit, memory_limit)
    if input_samples is not None:
        _first_generation(input_samples, choice, behind, outdir / "train.npz")
    else:
        folder = data or commands.folder_of(language)
        sources = allowed or folder / lists.POOL[1], embeddings or folder / lists.POOL[0]
        out = outdir / f"{language}_{choice.size}_train.json"
        _today(*sources, choice, behind, out)
        if (folder / lists.EVALUATION[1]).exists():
            where = f"--data {data}" if data else f"--language {language}"
            console.next_step(f"edgekws select score {where} --train-file {out}")
    return None


def _wall(sealed: bool, wall: str, image: str, time_limit: float | None, memory_limit: int | None) -> _Wall | None:
    if sealed:
        return _Wall(wall, image, time_limit or _TIME_LIMIT_S, memory_limit or _MEMORY_LIMIT_MIB)
    if wall != "auto" or image or time_limit or memory_limit:
        wanted = "--wall, --image, --time-limit and --memory-limit belong to a sealed run"
        raise ConfigError(wanted, hint="add --sealed")
    return None


def _list() -> None:
    from edgekws.curate import select

    console.listed(select.described())


def _choice(selector: str, size: int, seed: int | None, config_file: Path | None) -> _Choice:
    """Options before the configuration, the configuration before what is usual."""
    from edgekws.curate.select import config as _config

    config = _config.read(config_file) if config_file is not None else _config.Config()
    if selector and config.selector and config_file is not None:
        console.warn(f"--selector {selector} is used, not that of {config_file}")
    name = selector or config.selector or SELECTOR
    return _Choice(name, size, config.seed if seed is None else seed, config.values)


def _today(allowed: Path, embeddings: Path, choice: _Choice, behind: _Wall | None, out: Path) -> None:
    from edgekws.curate.select import files

    pool = files.read_pool(allowed, embeddings, console.warn)
    found = _selected(pool, choice, behind)
    files.write_selection(found, out)
    _say(found, choice, pool, out)


def _first_generation(samples: Path, choice: _Choice, behind: _Wall | None, out: Path) -> None:
    from edgekws.curate.select import files

    pool = files.read_samples(samples)
    found = _selected(pool, choice, behind)
    files.write_train_npz(found, pool, out)
    _say(found, choice, pool, out)


def _selected(pool: Pool, choice: _Choice, behind: _Wall | None) -> Selection:
    from edgekws.curate import sandbox
    from edgekws.curate.select import run as _run

    given = choice.selector, pool, choice.size, choice.seed, choice.config
    if behind is None:
        with console.waiting(f"{choice.selector} is choosing"):
            return _run.run(*given)
    limits = sandbox.Limits(behind.seconds, behind.memory_mib << 20)
    with console.waiting(f"{choice.selector} is choosing, sealed, for {behind.seconds:g} s at most"):
        found, how = _run.run_sealed(*given, limits=limits, wall=behind.name, image=behind.image)
    weak = " (stops mistakes, not malice)" if how.wall == "plain" else ""
    if how.instead:
        console.out.print(f"no container: {escape(how.instead)}")
    used = f"{how.peak_bytes >> 20} MiB at most" if how.peak_bytes else "memory not measured"
    console.out.print(f"sealed by {how.wall}{weak}: {how.seconds:.1f} s, {used}")
    return found


def _say(found: Selection, choice: _Choice, pool: Pool, out: Path) -> None:
    counts = [f"{escape(word)} {len(ids)}" for word, ids in found.targets.items()]
    counts.append(f"other words {len(found.nontargets)}")
    sizes = f"{found.size:,} of {len(pool.ids):,} clips ({', '.join(counts)})"
    console.out.print(f"{escape(choice.selector)}, seed {choice.seed}: {sizes}")
    console.out.print(f"written: {escape(str(out))}")
