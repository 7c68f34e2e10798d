"""`edgekws select run`: choose clips from a pool, by a selector of ours or a user's, openly or behind a wall."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from edgekws import console
from edgekws.errors import ConfigError

if TYPE_CHECKING:
    from edgekws.select import Pool, Selection

SELECTOR = "honed"
_WORKSPACE = Path("workspace")
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
    memory_mb: int


def run(
    selector: Annotated[
        str, typer.Option("--selector", help="A name, file.py, file.py:Class or module:Class. Default: honed.")
    ] = "",
    language: Annotated[str, typer.Option("--language", help="en, id, pt, ...: names the default files.")] = "en",
    train_size: Annotated[
        int | None, typer.Option("--train-size", "--train_size", min=1, help="Clips at most. Default: 25.")
    ] = None,
    allowed: Annotated[
        Path | None, typer.Option("--allowed-training-set", "--allowed_training_set", help="Ids that may be chosen.")
    ] = None,
    embeddings: Annotated[
        Path | None,
        typer.Option("--train-embeddings-dir", "--train_embeddings_dir", help="Folder of <word>.parquet."),
    ] = None,
    input_samples: Annotated[
        Path | None, typer.Option("--input-samples", "--input_samples", help="samples.pb of the first generation.")
    ] = None,
    config_file: Annotated[
        Path | None, typer.Option("--config-file", "--config_file", help="YAML: a strategy class, a seed.")
    ] = None,
    outdir: Annotated[Path, typer.Option("--outdir", help="Folder of the selection.")] = Path(),
    seed: Annotated[int | None, typer.Option(min=0, help="Default: of the configuration, or 0.")] = None,
    sealed: Annotated[
        bool, typer.Option("--sealed", help="Without network, with limits, one folder to write.")
    ] = False,
    wall: Annotated[str, typer.Option(help="auto, container, bubblewrap, namespaces, plain; with --sealed.")] = "auto",
    image: Annotated[str, typer.Option(help="Container image with edgekws; with --sealed.")] = "",
    time_limit: Annotated[float, typer.Option(min=0.1, help="Seconds; with --sealed.")] = 600.0,
    memory_limit: Annotated[int, typer.Option(min=64, help="MiB of all processes; with --sealed.")] = 4096,
    list_selectors: Annotated[bool, typer.Option("--list", help="Only list the selectors.")] = False,
) -> None:
    """Choose the clips to learn from; writes <language>_<size>_train.json, or train.npz for --input-samples.

    Example: `edgekws select run --language en --train-size 60 --allowed-training-set allowed_training_set.yaml
    --train-embeddings-dir train_embeddings --sealed`

    From data larger than memory: `edgekws select shards`.
    """
    if list_selectors:
        return _list()
    choice = _choice(selector, train_size or (_FIRST_SIZE if input_samples else _SIZE), seed, config_file)
    behind = _Wall(wall, image, time_limit, memory_limit) if sealed else None
    if behind is None and (wall != "auto" or image):
        raise ConfigError("--wall and --image belong to a sealed run", hint="add --sealed")
    if input_samples is not None:
        _first_generation(input_samples, choice, behind, outdir / "train.npz")
    else:
        data = _WORKSPACE / "data" / f"dataperf_{language}_data"
        sources = allowed or data / "allowed_training_set.yaml", embeddings or data / "train_embeddings"
        _today(*sources, choice, behind, outdir / f"{language}_{choice.size}_train.json")
    return None


def _list() -> None:
    from edgekws import plugs, select

    for name in select.names():
        said = (plugs.load("select", name).__doc__ or "").partition("\n")[0]
        console.out.print(f"[bold]{name:12}[/] {escape(said)}")


def _choice(selector: str, size: int, seed: int | None, config_file: Path | None) -> _Choice:
    """Options before the configuration, the configuration before what is usual."""
    from edgekws.select import _config

    config = _config.read(config_file) if config_file is not None else _config.Config()
    if selector and config.selector and config_file is not None:
        console.warn(f"--selector {selector} is used, not that of {config_file}")
    name = selector or config.selector or SELECTOR
    return _Choice(name, size, config.seed if seed is None else seed, config.values)


def _today(allowed: Path, embeddings: Path, choice: _Choice, behind: _Wall | None, out: Path) -> None:
    from edgekws.select import _files

    pool = _files.read_pool(allowed, embeddings, console.warn)
    found = _selected(pool, choice, behind)
    _files.write_selection(found, out)
    _say(found, choice, pool, out)


def _first_generation(samples: Path, choice: _Choice, behind: _Wall | None, out: Path) -> None:
    from edgekws.select import _files

    pool = _files.read_samples(samples)
    found = _selected(pool, choice, behind)
    _files.write_train_npz(found, pool, out)
    _say(found, choice, pool, out)


def _selected(pool: Pool, choice: _Choice, behind: _Wall | None) -> Selection:
    from edgekws import sealed
    from edgekws.select import _run

    given = choice.selector, pool, choice.size, choice.seed, choice.config
    if behind is None:
        return _run.run(*given)
    limits = sealed.Limits(behind.seconds, behind.memory_mb << 20)
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
    console.out.print(
        f"{escape(choice.selector)}, seed {choice.seed}: {found.size} of {len(pool.ids):,} clips ({', '.join(counts)})"
    )
    console.out.print(f"written: {escape(str(out))}")
