"""The command line: each command is one arrow of the line from recordings to a measured board."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from edgekws import console
from edgekws.errors import ConfigError, DataError, ParityError

if TYPE_CHECKING:
    from edgekws.data.dataset import Dataset
    from edgekws.graph.ir import Graph
    from edgekws.recipe import Recipe

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Keyword spotting from a folder of recordings to a measured board, bit for bit.\n\n"
    "The line: `data prepare`, `train`, `quantize`, `export`, `flash`, `bench`; or all at once: `demo`.",
    epilog="Exit codes: 0 done, 1 other, 2 usage, 3 data, 4 configuration, 5 target, 6 protocol, 7 board, 8 artifact, "
    "9 parity or invalid run. With --debug an error shows its stack trace.",
)
data_app = typer.Typer(no_args_is_help=True, help="Prepared data sets: decode recordings once, pin them by a hash.")
app.add_typer(data_app, name="data")

DataOption = Annotated[Path, typer.Option("--data", help="Prepared data set, made by `data prepare`.")]
OutOption = Annotated[Path, typer.Option("--out", help="Folder of this model: checkpoints, graph, exports, reports.")]
RecipeOption = Annotated[Path, typer.Option("--recipe", help="TOML that says how the model is made.")]
BoardOption = Annotated[str, typer.Option("--board", help="A board of `edgekws boards`.")]
RootOption = Annotated[Path | None, typer.Option("--root", help="Folder with the recordings. Default: $EDGEKWS_DATA.")]

DATA, OUT, RECIPE, BOARD = Path("work/data"), Path("work/dscnn"), Path("models/dscnn/recipe.toml"), "qemu-an386"


@data_app.command()
def prepare(
    root: RootOption = None,
    source: Annotated[
        str, typer.Option(help="speech_commands, folder (any word folders), synthetic")
    ] = "speech_commands",
    out: Annotated[Path, typer.Option("--out", help="Where the prepared data set goes.")] = DATA,
) -> None:
    """Decode recordings into a data set with splits, labels and a hash that pins it.

    Without --root, what was prepared before stays; else Speech Commands is downloaded (2.5 GB; a broken
    download is continued).
    """
    if source == "synthetic" and root is not None:
        raise ConfigError("--source synthetic makes its own recordings", got=f"--root {root}", hint="leave --root away")
    data = _prepare(source, None if source == "synthetic" else _root(root), out)
    _show_dataset(data)


@data_app.command("info")
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
    _show_dataset(loaded)


@app.command()
def train(
    recipe: RecipeOption = RECIPE,
    data: DataOption = DATA,
    out: OutOption = OUT,
    seed: Annotated[int | None, typer.Option(help="Instead of the recipe's seed.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Instead of the recipe's epochs.")] = None,
) -> None:
    """Train the float network. A killed run continues exactly where it was."""
    _train(_recipe(recipe, seed, epochs), data, out)


@app.command()
def quantize(
    recipe: RecipeOption = RECIPE,
    data: DataOption = DATA,
    out: OutOption = OUT,
    method: Annotated[str | None, typer.Option(help="ptq or qat, instead of the recipe's.")] = None,
) -> None:
    """Turn the trained network into the integer graph of the NPU, and score both."""
    chosen = _recipe(recipe, None, None)
    if method is not None:
        chosen = _checked_recipe(chosen, quant={**chosen.quant.model_dump(), "method": method})
    _quantize(chosen, data, out)


@app.command()
def export(data: DataOption = DATA, out: OutOption = OUT) -> None:
    """Write ONNX, TFLite and C from the graph, run each on every test clip and compare with the interpreter."""
    _export(data, out)


@app.command()
def boards() -> None:
    """List the boards."""
    from firmware_io import board

    table = Table("board", "what it is", "core", "flash", "RAM", "figures are", box=None)
    for name in board.names():
        entry = board.load(name)
        sizes = [f"{size // 1024} KB" if size else "no limit" for size in (entry.flash_bytes, entry.ram_bytes)]
        table.add_row(name, entry.title, entry.core, *sizes, entry.how)
    console.out.print(table)


@app.command()
def flash(
    board: BoardOption = BOARD,
    out: OutOption = OUT,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be run; change nothing.")] = False,
) -> None:
    """Build the firmware with the model, load it on the board and ask who answers."""
    _flash(board, out, dry_run)


@app.command()
def bench(
    board: BoardOption = BOARD,
    data: DataOption = DATA,
    out: OutOption = OUT,
    clips: Annotated[int, typer.Option(help="Test clips to send over serial; 0 is all.", min=0)] = 0,
) -> None:
    """Measure latency and accuracy over serial, check every answer, write the report."""
    _bench(board, data, out, clips)


@app.command()
def demo(
    root: RootOption = None,
    board: BoardOption = BOARD,
    out: OutOption = Path("work/demo"),
    steps: Annotated[int, typer.Option(help="Training steps; the recipe of models/dscnn takes about 9,600.")] = 1_300,
    clips: Annotated[int, typer.Option(help="Test clips to send over serial; 0 is all.", min=0)] = 500,
) -> None:
    """The whole line in a few minutes: recordings, a short training, the integer graph, a measured board.

    Without recordings and without a network it speaks its own (espeak-ng), and says so.
    """
    data = _demo_data(_root(root), out / "data")
    chosen = _recipe(RECIPE, None, None) if RECIPE.exists() else _default_recipe()
    per_epoch = max(1, len(data.splits["train"]) // chosen.train.batch)
    epochs = max(1, round(steps / per_epoch))
    chosen = _checked_recipe(chosen, train={**chosen.train.model_dump(), "epochs": epochs})
    chosen = _checked_recipe(chosen, name="demo", quant={**chosen.quant.model_dump(), "method": "ptq"})
    model = out / f"{data.sha256[:8]}-{epochs}-epochs"  # other recordings or steps are another model
    _train(chosen, data.folder, model)
    _quantize(chosen, data.folder, model)
    _export(data.folder, model)
    _flash(board, model, dry_run=False)
    _bench(board, data.folder, model, clips)


def main() -> None:
    """The entry point: parse, run, and turn expected errors into one paragraph and an exit code."""
    import sys

    debug = "--debug" in sys.argv
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    with console.readable_errors(debug):
        app(args=arguments, prog_name="edgekws")


def _root(given: Path | None) -> Path | None:
    named = os.environ.get("EDGEKWS_DATA")
    return given or (Path(named) if named else None)


def _prepare(source: str, root: Path | None, out: Path) -> Dataset:
    from edgekws import pipeline
    from edgekws.data import dataset, download, synthetic

    if source == "speech_commands" and root is None and (out / dataset.INDEX).exists():
        return dataset.load(out)
    with console.progress() as report:
        if source == "synthetic":
            root = synthetic.make(out.parent / "synthetic", report)
        elif root is None and source != "speech_commands":
            raise ConfigError(f"--source {source} needs a folder of recordings", hint="give it with --root")
        elif root is None:
            root = download.download(out.parent / "recordings", report)
        return pipeline.prepare(source, root, out, report)


def _demo_data(root: Path | None, out: Path) -> Dataset:
    """The recordings given, else downloaded, else spoken by the machine."""
    try:
        return _prepare("speech_commands", root, out)
    except DataError as error:
        if root is not None:
            raise
        console.err.print(f"[yellow]no recordings:[/] {error}")
        console.err.print("[bold yellow]falling back on SYNTHETIC SPEECH: the line is real, its accuracy is not[/]")
        return _prepare("synthetic", None, out)


def _recipe(path: Path, seed: int | None, epochs: int | None) -> Recipe:
    from edgekws import recipe

    chosen = recipe.load(path)
    if seed is not None:
        chosen = _checked_recipe(chosen, seed=seed)
    if epochs is not None:
        chosen = _checked_recipe(chosen, train={**chosen.train.model_dump(), "epochs": epochs})
    return chosen


def _default_recipe() -> Recipe:
    from edgekws.recipe import Recipe

    return Recipe()


def _checked_recipe(chosen: Recipe, **changes: object) -> Recipe:
    from edgekws import recipe

    return recipe.changed(chosen, **changes)


def _train(recipe: Recipe, data: Path, out: Path) -> None:
    from edgekws import pipeline
    from edgekws.data import dataset

    with console.progress() as report:
        best = pipeline.train(recipe, dataset.load(data), out, report)
    console.out.print(f"trained: {best}, curves in {best.parent / 'curves.svg'}")


def _quantize(recipe: Recipe, data: Path, out: Path) -> None:
    from edgekws import pipeline
    from edgekws.data import dataset
    from edgekws.train import BEST

    loaded = dataset.load(data)
    with console.progress() as report:
        trained = pipeline.load_trained(out / "float" / BEST, recipe)
        pipeline.quantize(trained, loaded, out, report)
    scores = pipeline.read_scores(out / "quantize.json")["scores"]
    table = Table("split", "clips", "float", "integers", "differing integers", box=None)
    for split, row in scores.items():
        shown = [f"{100 * row[key]['accuracy']:.2f} %" for key in ("float", "graph")]
        table.add_row(split, str(row["float"]["n"]), *shown, f"{row['differing_integers']} of {row['integers']}")
    console.out.print(f"accuracy on {loaded.name} (computed on this machine), graph in {out / 'graph.npz'}")
    console.out.print(table)
    for note in loaded.notes:
        console.out.print(f"[yellow]note:[/] {note}")


def _export(data: Path, out: Path) -> None:
    import tempfile

    from edgekws import golden, pipeline, plugs
    from edgekws.data import dataset
    from edgekws.features import cache
    from edgekws.graph import interp, io
    from firmware_io import hostlib

    loaded, graph = dataset.load(data), io.load(out / "graph.npz")
    features, test = cache.int8_features(loaded, "test", graph.features), loaded.splits["test"]
    chosen = golden.choose(test.labels)
    golden.write(
        out / "export" / "golden.npz", graph, features[chosen], test.labels[chosen], [test.ids[i] for i in chosen]
    )
    with console.progress() as report:
        results = pipeline.export(graph, out / "export", features, report)
    with tempfile.TemporaryDirectory(prefix="edgekws-") as folder:
        compiled = hostlib.compile_model(plugs.load("emit", "c").emit(graph), Path(folder))
        results.append(
            pipeline.compare("c", "compiled for this machine", compiled, features, interp.run(graph, features))
        )
    pipeline.write_parity(out / "export" / "parity.json", graph, results)
    table = Table("artifact", "runtime", "clips", "differing integers", "largest", box=None)
    for row in results:
        table.add_row(row.artifact, row.runtime, str(row.clips), f"{row.differences} of {row.values}", str(row.largest))
    console.out.print(table)
    pipeline.require_parity(results)


def _model(out: Path) -> tuple[Graph, dict[str, bytes]]:
    from edgekws import plugs
    from edgekws.graph import io

    graph = io.load(out / "graph.npz")
    return graph, plugs.load("emit", "c").emit(graph)


def _flash(name: str, out: Path, dry_run: bool) -> None:
    from firmware_io import board as boards
    from firmware_io import build, flash
    from firmware_io.protocol.session import Session
    from firmware_io.transport import open_transport

    board = boards.load(name)
    elf = out / "firmware" / f"{name}.elf"
    if dry_run:
        console.out.print("build: " + " ".join(build.command(board, elf.parent / "src", elf)))
        console.out.print("load:  " + " ".join(flash.load(board.flash_tool).command(board, elf)))
        return
    firmware = build.build(board, _model(out)[1], elf)
    with open_transport(board.transport, elf) as transport:
        identity = Session(transport).start()
    budgets = [f"of {size}" if size else "used" for size in (board.flash_bytes, board.ram_bytes)]
    console.out.print(f"{name}: {identity.name} answers, {identity.profile}, model {identity.model}")
    console.out.print(f"flash {firmware.flash_bytes} {budgets[0]} B, RAM {firmware.ram_bytes} {budgets[1]} B, {elf}")


def _bench(name: str, data: Path, out: Path, clips: int) -> None:
    import numpy as np

    from edgekws import pipeline
    from edgekws.data import dataset
    from edgekws.features import cache
    from edgekws.report import build_report, write_report
    from firmware_io import board as boards
    from firmware_io import build
    from firmware_io.bench import Vectors
    from firmware_io.bench import bench as run_bench
    from firmware_io.protocol.session import Session
    from firmware_io.transport import open_transport

    board, loaded, (graph, model) = boards.load(name), dataset.load(data), _model(out)
    test = loaded.splits["test"]
    count = min(clips or len(test), len(test))
    chosen = np.unique(np.linspace(0, len(test) - 1, count).astype(int))  # spread over all labels
    features = cache.int8_features(loaded, "test", graph.features)[chosen]
    vectors = Vectors(f"{loaded.name} test", tuple(test.ids[i] for i in chosen), features, test.labels[chosen])
    firmware = build.build(board, model, out / "firmware" / f"{name}.elf")
    with open_transport(board.transport, firmware.elf) as transport, console.progress() as report:
        run = run_bench(Session(transport), board, graph, vectors, firmware=firmware, progress=report)
    document = build_report(
        f"{graph.name} on {board.title}",
        graph,
        run.to_json(),
        figures=pipeline.figures(out, loaded),
        parity=pipeline.parity_rows(out / "export" / "parity.json", graph),
        manifests=pipeline.manifests(out, loaded, graph),
        warnings=loaded.notes,
    )
    paths = write_report(document, out / "bench" / name)
    for figure in run.measurements():
        console.out.print(f"{figure.name}: {figure.value:.6g} {figure.unit} ({figure.how}, n = {figure.n})")
    console.out.print(f"[bold]{run.verdict}[/], report in {paths[-1]}")
    if not run.valid:
        raise ParityError("the run should be valid", got="; ".join(run.reasons), hint=f"see {paths[-1]}")


def _show_dataset(data: Dataset) -> None:
    import numpy as np

    table = Table("label", *data.splits, box=None)
    counts = [np.bincount(split.labels, minlength=len(data.labels)) for split in data.splits.values()]
    for number, label in enumerate(data.labels):
        table.add_row(label, *(str(count[number]) for count in counts))
    table.add_row("all", *(str(len(split)) for split in data.splits.values()), style="bold")
    console.out.print(table)
    for note in data.notes:
        console.out.print(f"[yellow]note:[/] {note}")
    console.out.print(f"{data.name} in {data.folder}, hash {data.sha256[:16]}")


if __name__ == "__main__":
    main()
