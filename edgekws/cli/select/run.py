"""`edgekws select run`: select clips from a pool by a built-in or a user's selector, in a sandbox on request."""

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

SELECTOR = "proxy_exchange"
_TIME_LIMIT_S, _MEMORY_LIMIT_MIB = 600.0, 4096
_AUTO = "auto"
_SIZE, _FIRST_SIZE = 25, 20


@dataclass(frozen=True)
class _Choice:
    """The selector and its arguments. config: values of the challenge's configuration, for a strategy class."""

    selector: str
    size: int
    seed: int
    config: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _Sandbox:
    isolation: str
    image: str
    seconds: float
    memory_mib: int


def run(
    selector: Annotated[
        str,
        typer.Option(help="A name of --list, file.py, file.py:Class or module:Class.", show_default=SELECTOR),
    ] = "",
    language: Annotated[
        str, typer.Option("--language", help="en, id, pt, ...: names the default folder and the result.")
    ] = "en",
    train_size: Annotated[
        int | None, typer.Option(min=1, help="Maximum number of clips.", show_default="25; 20 with --input-samples")
    ] = None,
    data: DataOption = None,
    allowed: AllowedOption = None,
    embeddings: TrainVectorsOption = None,
    input_samples: Annotated[Path | None, typer.Option(help="Pool of the first generation, samples.pb.")] = None,
    config_file: Annotated[
        Path | None, typer.Option(help="YAML of the challenge with a strategy class and a seed.")
    ] = None,
    outdir: Annotated[Path, typer.Option("--outdir", help="Folder of the selection.")] = Path(),
    seed: Annotated[
        int | None, typer.Option(min=0, help="Random seed.", show_default="of the configuration, or 0")
    ] = None,
    sandboxed: Annotated[
        bool, typer.Option("--sandbox", help="No network, limited resources, one writable folder.")
    ] = False,
    isolation: Annotated[
        str, typer.Option(help="auto, container, bubblewrap, namespaces, plain; with --sandbox.")
    ] = _AUTO,
    image: Annotated[str, typer.Option(help="Container image with edgekws; with --sandbox.")] = "",
    time_limit: Annotated[
        float | None, typer.Option(min=0.1, help="Seconds; with --sandbox.", show_default=f"{_TIME_LIMIT_S:g}")
    ] = None,
    memory_limit: Annotated[
        int | None,
        typer.Option(min=64, help="MiB of all processes; with --sandbox.", show_default=f"{_MEMORY_LIMIT_MIB}"),
    ] = None,
    list_selectors: Annotated[bool, typer.Option("--list", help="List the selectors and exit.")] = False,
    sealed: Annotated[bool, typer.Option("--sealed", hidden=True)] = False,
    wall: Annotated[str, typer.Option("--wall", hidden=True)] = "",
) -> None:
    """Select the clips to train on; writes `LANGUAGE_SIZE_train.json`, or `train.npz` for --input-samples.

    Example: `edgekws select run --data work/challenge --train-size 60 --sandbox`

    For data larger than memory, see `edgekws select shards`.
    """
    from edgekws.curate.dataperf import commands
    from edgekws.curate.dataperf.formats import lists

    if list_selectors:
        return _list()
    choice = _choice(selector, train_size or (_FIRST_SIZE if input_samples else _SIZE), seed, config_file)
    sandboxed, isolation = _renamed_options(sandboxed, isolation, sealed, wall)
    limited = _sandbox(sandboxed, isolation, image, time_limit, memory_limit)
    if input_samples is not None:
        _first_generation(input_samples, choice, limited, outdir / "train.npz")
    else:
        folder = data or commands.folder_of(language)
        sources = allowed or folder / lists.POOL[1], embeddings or folder / lists.POOL[0]
        out = outdir / f"{language}_{choice.size}_train.json"
        _current_generation(*sources, choice, limited, out)
        if (folder / lists.EVALUATION[1]).exists():
            where = ("--data", data) if data else ("--language", language)
            console.next_step("select", "score", *where, "--train-file", out)
    return None


def _renamed_options(sandboxed: bool, isolation: str, sealed: bool, wall: str) -> tuple[bool, str]:
    """(sandboxed, isolation), also from the old names of these options."""
    if sealed:
        console.renamed("--sealed", "--sandbox")
    if wall:
        console.renamed("--wall", "--isolation")
    return sandboxed or sealed, wall if wall and isolation == _AUTO else isolation


def _sandbox(
    sandboxed: bool, isolation: str, image: str, time_limit: float | None, memory_limit: int | None
) -> _Sandbox | None:
    if sandboxed:
        return _Sandbox(isolation, image, time_limit or _TIME_LIMIT_S, memory_limit or _MEMORY_LIMIT_MIB)
    if isolation != _AUTO or image or time_limit or memory_limit:
        expected = "--isolation, --image, --time-limit and --memory-limit apply to a sandboxed run only"
        raise ConfigError(expected, hint="add --sandbox")
    return None


def _list() -> None:
    from edgekws.curate import select

    console.listed(select.described())


def _choice(selector: str, size: int, seed: int | None, config_file: Path | None) -> _Choice:
    """Options take precedence over the configuration, the configuration over the defaults."""
    from edgekws.curate.select import config as _config
    from edgekws.curate.select import current_name

    config = _config.read(config_file) if config_file is not None else _config.Config()
    if selector and config.selector and config_file is not None:
        console.warn(f"--selector {selector} is used, not that of {config_file}")
    name = current_name(selector or config.selector or SELECTOR, console.warn)
    return _Choice(name, size, config.seed if seed is None else seed, config.values)


def _current_generation(allowed: Path, embeddings: Path, choice: _Choice, limited: _Sandbox | None, out: Path) -> None:
    from edgekws.curate.select import files

    pool = files.read_pool(allowed, embeddings, console.warn)
    chosen = _select(pool, choice, limited)
    files.write_selection(chosen, out)
    _show(chosen, choice, pool, out)


def _first_generation(samples: Path, choice: _Choice, limited: _Sandbox | None, out: Path) -> None:
    from edgekws.curate.select import files

    pool = files.read_samples(samples)
    chosen = _select(pool, choice, limited)
    files.write_train_npz(chosen, pool, out)
    _show(chosen, choice, pool, out)


def _select(pool: Pool, choice: _Choice, limited: _Sandbox | None) -> Selection:
    from edgekws.curate import sandbox
    from edgekws.curate.select import run as _run

    arguments = choice.selector, pool, choice.size, choice.seed, choice.config
    if limited is None:
        with console.waiting(f"running {choice.selector}"):
            return _run.run(*arguments)
    limits = sandbox.Limits(limited.seconds, limited.memory_mib << 20)
    with console.waiting(f"running {choice.selector} in a sandbox, for {limited.seconds:g} s at most"):
        chosen, info = _run.run_sandboxed(*arguments, limits=limits, isolation=limited.isolation, image=limited.image)
    weak = " (stops mistakes, not malice)" if info.isolation == "plain" else ""
    if info.fallback_reason:
        console.out.print(f"no container: {escape(info.fallback_reason)}")
    memory = f"peak memory {info.peak_bytes >> 20} MiB" if info.peak_bytes else "memory not measured"
    console.out.print(f"sandbox: {info.isolation}{weak}, {info.seconds:.1f} s, {memory}")
    return chosen


def _show(chosen: Selection, choice: _Choice, pool: Pool, out: Path) -> None:
    counts = [f"{escape(word)} {len(ids)}" for word, ids in chosen.targets.items()]
    counts.append(f"other words {len(chosen.nontargets)}")
    sizes = f"{chosen.size:,} of {len(pool.ids):,} clips ({', '.join(counts)})"
    console.out.print(f"{escape(choice.selector)}, seed {choice.seed}: {sizes}")
    console.out.print(f"written: {escape(str(out))}")
