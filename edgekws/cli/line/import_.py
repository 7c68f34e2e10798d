"""`edgekws import`: an int8 model of another tool as a model folder."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from edgekws.cli import console
from edgekws.cli._options import BOARD
from edgekws.errors import ConfigError, DataError, TargetError

if TYPE_CHECKING:
    import numpy as np

    from edgekws.features.spec import FeatureSpec
    from edgekws.graph.ir import Graph

_GOLDEN = 48
"""Inputs in golden.npz."""


def import_(
    model: Annotated[
        Path, typer.Argument(help="A .tflite or .onnx file of int8 integers, or a float Keras model: .keras, .h5.")
    ],
    out: Annotated[Path, typer.Option("--out", help="New folder for the model, or one that was imported before.")],
    labels: Annotated[
        str | None,
        typer.Option(help="Names of the scores in order: a,b,c or a file with a name a line. Default: class0, ..."),
    ] = None,
    features: Annotated[
        str | None,
        typer.Option(
            help="The front end of its inputs: mlperf, sww01-fixed-point, or a JSON or TOML file. Default: unknown."
        ),
    ] = None,
    form: Annotated[
        str | None, typer.Option("--format", help="The importer.", show_default="found out from the file")
    ] = None,
    inputs: Annotated[int, typer.Option(help="Random inputs on which runtimes are compared.", min=1)] = 200,
    seed: Annotated[int, typer.Option(help="Of these inputs.", min=0)] = 0,
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Prepared data set whose test clips become golden vectors, instead of inputs."),
    ] = None,
    calibration: Annotated[
        Path | None,
        typer.Option(help="Of a Keras model: .npy of float clips [n, ...], in the units that it was trained on."),
    ] = None,
) -> None:
    """Make a model folder of an int8 model of another tool: TFLite, or ONNX; the integers stay the same."""
    import numpy as np

    from edgekws import files, importers, models
    from edgekws.graph import io

    model, out = model.expanduser(), out.expanduser()
    _require_free(out)
    options = importers.Options(_labels(labels), _features(features), model.stem, _clips(calibration))
    file, name, content = importers.converted(model, *importers.find(model, form or ""), options)
    graph = importers.read(name, {file.name: content}, options)
    recorded = None if data is None else _recorded(data, graph)
    height, width, channels = graph.in_shape
    clips = np.random.default_rng(seed).integers(-128, 128, (inputs, height, width * channels)).astype(np.int8)
    scores = graph.run(clips)
    io.save(graph, out / models.GRAPH)
    _write_golden(out, graph, recorded or _random(clips, seed))
    if file != model:
        files.write_bytes(out / file.name, content)
        console.out.print(f"{model.name} is converted to {out / file.name}", markup=False)
    _describe(graph, file, name)
    _compare(name, {file.name: content}, clips, scores)
    console.next_step("check", out)
    console.next_step("flash", "--board", BOARD, "--out", out)
    console.next_step("bench", "--board", BOARD, "--out", out)


_Clips = tuple["np.ndarray", "np.ndarray", list[str]]
"""int8 [n, height, width * channels]; labels int64 [n], or [0] where there are none; names."""


def _random(clips: np.ndarray, seed: int) -> _Clips:
    import numpy as np

    some = clips[:_GOLDEN]
    return some, np.zeros(0, np.int64), [f"random {number}, seed {seed}" for number in range(len(some))]


def _recorded(data: Path, graph: Graph) -> _Clips:
    """Some test clips of each label. Raises DataError for an unknown front end, and for a data set of other labels."""
    from edgekws.data import dataset
    from edgekws.data.labels import require_equal
    from edgekws.features import cache
    from edgekws.graph import golden

    loaded, front_end = dataset.load(data), graph.front_end
    require_equal(graph.labels, loaded.labels, f"the data set {loaded.name}")
    test = loaded.splits["test"]
    chosen = golden.choose(test.labels)
    features = cache.int8_features(loaded, "test", front_end)
    return features[chosen], test.labels[chosen], [test.ids[int(at)] for at in chosen]


def _write_golden(out: Path, graph: Graph, clips: _Clips) -> None:
    from edgekws import models
    from edgekws.graph import golden

    features, labels, ids = clips
    golden.write(out / models.GOLDEN, graph, features, labels, ids)


def _require_free(out: Path) -> None:
    """Raises ConfigError for a folder with a model that was not imported."""
    from edgekws import models
    from edgekws.graph import io
    from edgekws.models import memory

    graph = out / models.GRAPH
    own = (out / memory.NETWORK).exists() or (graph.exists() and "imported_from" not in io.load(graph).provenance)
    if own or out.is_file():
        hint = "give a new folder with --out"
        raise ConfigError(f"{out} should be a new folder, or one that was imported before", got="another", hint=hint)


def _labels(text: str | None) -> tuple[str, ...]:
    """Raises ConfigError for a file that cannot be read, and for empty names."""
    if text is None:
        return ()
    path = Path(text).expanduser()
    is_file = path.is_file()
    if not is_file and "," not in text and (path.suffix or len(path.parts) > 1):
        raise ConfigError("--labels should be names with commas, or a file with a name a line", got=f"no file {text}")
    names = path.read_text(encoding="utf-8", errors="replace").splitlines() if is_file else text.split(",")
    labels = tuple(name.strip() for name in names if name.strip())
    if not labels:
        raise ConfigError("--labels should be names with commas, or a file with a name a line", got=text)
    return labels


def _features(text: str | None) -> FeatureSpec | None:
    """Raises ConfigError for what is neither `mlperf` nor a file, ArtifactError for a file of something else."""
    from edgekws.features import presets

    return None if text is None else presets.stated(text)


def _clips(path: Path | None) -> np.ndarray | None:
    """Raises DataError for what is not a .npy file of numbers."""
    import numpy as np

    if path is None:
        return None
    try:
        return np.asarray(np.load(path.expanduser(), allow_pickle=False))
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"--calibration {path} should be a .npy file of float clips", got=str(error)[:200]) from error


def _describe(graph: Graph, model: Path, name: str) -> None:
    operations = Counter(node.op for node in graph.nodes)
    listed = ", ".join(f"{count} {op}" for op, count in operations.items())
    console.out.print(f"{model.name} ({name}): {len(graph.nodes)} nodes: {listed}", markup=False)
    height, width, channels = graph.in_shape
    console.out.print(
        f"input int8 {height} x {width} x {channels}, one step is {graph.input_scale:.6g}, zero point "
        f"{graph.input_zero}; {len(graph.labels)} scores",
        markup=False,
    )


def _compare(name: str, files: dict[str, bytes], clips: np.ndarray, scores: np.ndarray) -> None:
    """What the runtimes of this format give, beside the graph; nothing where they are not installed."""
    from edgekws import plugins

    importer = plugins.load("importers", name)
    if not hasattr(importer, "executors"):
        return
    try:
        runtimes = importer.executors(files)
    except ModuleNotFoundError as error:
        console.warn(f"not compared: {error.name} is not installed")
        return
    except TargetError as error:
        console.warn(f"not compared: {error}")
        return
    except (ValueError, RuntimeError) as error:
        console.warn(f"not compared: the runtime refuses the file: {error}")
        return
    table = Table("runtime", "random inputs", "differing scores", "inputs that differ", "largest", box=None)
    for runtime, run in runtimes.items():
        apart = run(clips).astype(int) - scores
        inputs, values = len(clips), scores.size
        wrong, rows = int((apart != 0).sum()), int((apart != 0).any(axis=1).sum())
        table.add_row(runtime, str(inputs), f"{wrong} of {values}", f"{rows} of {inputs}", str(abs(apart).max()))
    console.out.print(table)
