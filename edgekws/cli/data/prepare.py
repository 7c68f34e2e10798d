"""`edgekws data prepare` and `info`: make a prepared data set from recordings, and show it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgekws.cli import console
from edgekws.cli._options import DATA, DataOption, RootOption
from edgekws.cli.data import summary
from edgekws.errors import ConfigError

if TYPE_CHECKING:
    from edgekws.data.dataset import Dataset

SPEECH_COMMANDS, FOLDER, SYNTHETIC = "speech_commands", "folder", "synthetic"
WORK = Path("work")


def prepare(
    recordings: Annotated[
        Path | None, typer.Argument(help="Folder of the recordings: a folder per word. The same as --root.")
    ] = None,
    root: RootOption = None,
    source: Annotated[
        str | None,
        typer.Option(
            help="speech_commands, folder (any word folders), synthetic", show_default="found out from the folder"
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="Folder of the prepared data set.",
            show_default="work/data for Speech Commands, else work/NAME/data",
        ),
    ] = None,
    decisions: Annotated[
        Path | None, typer.Option(help="decisions.json of `data clean --root`: clips to drop, labels to correct.")
    ] = None,
    cuts: Annotated[
        Path | None, typer.Option(help="How to cut long recordings.", show_default="cuts.csv in --out, if it is there")
    ] = None,
    show_cuts: Annotated[
        Path | None,
        typer.Option(help="Page (.html) to write: the waveform and cuts of each long recording.", show_default="none"),
    ] = None,
    no_unknown: Annotated[
        bool, typer.Option("--no-unknown", help="Own words alone, without `_silence_` and `_unknown_`.")
    ] = False,
    other_words: Annotated[
        Path | None,
        typer.Option(help="Folder of recordings of other words, for `_unknown_` of own words.", show_default="none"),
    ] = None,
    speech_commands: Annotated[
        Path | None,
        typer.Option(
            help="Folder of Speech Commands, for `_unknown_` of own words.", show_default="$EDGEKWS_DATA, if it is that"
        ),
    ] = None,
    strict: Annotated[bool, typer.Option(help="Fail when a file cannot be used, instead of leaving it out.")] = False,
) -> None:
    """Decode recordings into a data set with splits, labels and a hash that identifies it.

    Files of any audio format, rate and number of channels are converted; long ones are cut to the word, or to a clip
    per word, and cuts.csv in --out says where: edit it and run the same command again. Files that cannot be used are
    left out and listed.

    Own words are joined by `_silence_` (synthesized noise, and your folder _background_noise_) and `_unknown_` (your
    folder of that name, other words of the folders given, words said by espeak-ng, fragments of your recordings).

    Without recordings, an existing prepared data set is kept; if there is none, Speech Commands is downloaded (2.5 GB;
    a broken download is resumed).
    """
    folder = _one_folder(recordings, root)
    if source == SYNTHETIC and folder is not None:
        given = f"--root {folder}" if recordings is None else str(folder)
        raise ConfigError("--source synthetic makes its own recordings", got=given, hint="omit the folder")
    folder = None if source == SYNTHETIC else root_of(folder)
    source = source or source_of(folder)
    target = _tidy(out) if out is not None else out_of(source, folder)
    if source == FOLDER:
        _require_apart(target, folder)
    options = _cuts(source, target, cuts) | _reject(source, folder, no_unknown, other_words, speech_commands)
    data = prepared(source, folder, target, decisions, options, strict)
    summary.show(data, target)
    if show_cuts is not None:
        _show_cuts(folder, target, _tidy(show_cuts))
    console.next_step(*summary.training(target))


def data_info(
    data: DataOption = DATA,
    verify: Annotated[bool, typer.Option(help="Also read every sample and check the hashes.")] = False,
) -> None:
    """Show splits, clips per label and the hash of a prepared data set."""
    from edgekws.data import dataset

    loaded = dataset.load(data)
    if verify:
        dataset.verify(loaded)
        console.out.print("all samples match their hashes")
    summary.show(loaded, data)


def root_of(given: Path | None) -> Path | None:
    """The given folder, else that of the environment variable EDGEKWS_DATA."""
    named = os.environ.get("EDGEKWS_DATA")
    return given or (Path(named) if named else None)


def source_of(root: Path | None) -> str:
    """The source plugin that lists a folder: Speech Commands by its layout, else word folders."""
    from edgekws.data.sources import speech_commands

    if root is None or speech_commands.is_here(root):
        return SPEECH_COMMANDS
    return FOLDER


def out_of(source: str, root: Path | None) -> Path:
    """Where a data set goes by default: own words to a folder of their own below work/."""
    if root is None or source in (SPEECH_COMMANDS, SYNTHETIC):
        return DATA
    return WORK / (root.resolve().name or "recordings") / "data"


def prepared(
    source: str,
    root: Path | None,
    out: Path,
    decisions: Path | None = None,
    options: dict[str, Any] | None = None,
    strict: bool = False,
) -> Dataset:
    """The data set in `out`; made first from `root`, from a download or from synthetic speech."""
    from edgekws import pipeline
    from edgekws.data import dataset, download
    from edgekws.data import decisions as deciding
    from edgekws.data.sources import synthetic

    decided = deciding.load(decisions) if decisions else None
    if source == SPEECH_COMMANDS and root is None and decided is None and (out / dataset.INDEX).exists():
        return dataset.load(out)
    with console.progress() as report:
        if source == SYNTHETIC:
            root = synthetic.make(out.parent / "synthetic", report)
        elif root is None and source != SPEECH_COMMANDS:
            raise ConfigError(
                f"--source {source} needs a folder of recordings", hint="give it as the first argument, or with --root"
            )
        elif root is None:
            root = download.download(out.parent / "recordings", report)
        return pipeline.prepare(source, root, out, report, decided, options, strict)


def _one_folder(recordings: Path | None, root: Path | None) -> Path | None:
    if recordings is not None and root is not None and recordings != root:
        raise ConfigError("give one folder of recordings", got=f"{recordings} and --root {root}")
    given = recordings or root
    return None if given is None else _tidy(given)


def _tidy(path: Path) -> Path:
    """A path as a person means it: `~` is the home folder, blanks around it are a slip unless they are in the name."""
    expanded = path.expanduser()
    stripped = Path(str(expanded).strip())
    return stripped if not expanded.exists() else expanded


def _require_apart(out: Path, root: Path | None) -> None:
    if root is not None and root.is_dir() and root.resolve() in (out.resolve(), *out.resolve().parents):
        hint = "run the command in another folder, or give --out"
        raise ConfigError("the prepared data set should be outside of the recordings", got=str(out), hint=hint)


def _cuts(source: str, out: Path, given: Path | None) -> dict[str, Any]:
    from edgekws.data import cuts

    if given is None and (source != FOLDER or not (out / cuts.FILE).exists()):
        return {}
    return {"cuts": cuts.read(_tidy(given) if given is not None else out / cuts.FILE)}


def _reject(
    source: str, root: Path | None, no_unknown: bool, other_words: Path | None, speech_commands: Path | None
) -> dict[str, Any]:
    """Options of the reject class. Speech Commands in $EDGEKWS_DATA is used, unless it is what is prepared."""
    given = {"other_words": other_words, "speech_commands": speech_commands}
    folders = {name: _tidy(path) for name, path in given.items() if path is not None}
    if no_unknown and folders:
        options = ", ".join(f"--{name.replace('_', '-')}" for name in folders)
        raise ConfigError("--no-unknown takes no other words", got=options, hint="omit one of them")
    if no_unknown:
        return {"no_unknown": True}
    around = root_of(None)
    if source == FOLDER and not folders and around and around != root and source_of(around) == SPEECH_COMMANDS:
        return {"speech_commands": around}
    return folders


def _show_cuts(root: Path | None, out: Path, page: Path) -> None:
    from edgekws.cli.data import cut_page
    from edgekws.data import cuts

    if root is None or not (out / cuts.FILE).exists():
        console.out.print("no recording was cut: there is no page of cuts")
        return
    console.out.print(f"{cut_page.write(out / cuts.FILE, root, page)} recordings with their cuts: {page}", markup=False)
