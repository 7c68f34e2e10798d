"""`edgekws export`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from edgekws import plugins
from edgekws.cli import console
from edgekws.cli._model import data_for, model_folder, require_graph, vectors_for
from edgekws.cli._options import BOARD, DATA, OUT, MinRamOption, ModelDataOption, ModelOption
from edgekws.cli.line import page, vendor
from edgekws.data.labels import require_equal
from edgekws.errors import ConfigError, TargetError

if TYPE_CHECKING:
    import numpy as np

    from edgekws.graph.ir import Graph
    from edgekws.pipeline import Parity


VectorsOption = Annotated[
    Path | None,
    typer.Option("--vectors", help="Clips from this .npz, or a released model, instead of --data."),
]
FormatOption = Annotated[
    list[str] | None,
    typer.Option(
        "--format",
        help="Only this: c, onnx-integer, onnx-qdq, onnx-tinpu, tflite or web; may be repeated.",
        metavar="FORMAT",
    ),
]


def export(
    data: ModelDataOption = None,
    out: ModelOption = OUT,
    formats: FormatOption = None,
    min_ram: MinRamOption = False,
    vectors: VectorsOption = None,
    tool: Annotated[
        str | None,
        typer.Option("--for", help="Instead, the inputs of a vendor's compiler: ti-nnc.", metavar="COMPILER"),
    ] = None,
    device: Annotated[str | None, typer.Option(help="With --for: mspm0g5187, f28p55x, am13e2.")] = None,
) -> None:
    """Write ONNX, TFLite and C from the graph, run each on every test clip and compare with the interpreter."""
    if tool is not None:
        if formats:
            raise ConfigError("--format or --for, not both", got=f"--format {formats[0]} --for {tool}")
        plugins.find("vendors", tool)  # an unknown compiler is refused before the model is looked for
        folder = model_folder(out)
        require_graph(folder)
        vendor.run(tool, device, data_for(data, folder), folder)
    elif device is not None:
        raise ConfigError("--device goes with --for", got=f"--device {device}", hint="add --for ti-nnc")
    else:
        for kind in formats or ():
            plugins.load("emitters", kind)  # an unknown format is refused before anything is read or written
        folder = model_folder(out)
        require_graph(folder)
        if formats and set(formats) == {page.FORMAT}:
            page.run(folder)  # it needs no clips
            return
        chosen = vectors_for(vectors, data, folder)
        run(DATA if chosen else data_for(data, folder), folder, formats, min_ram, chosen)
        console.next_step("flash", "--board", BOARD, "--out", folder)


def run(
    data: Path, out: Path, formats: list[str] | None = None, min_ram: bool = False, vectors: Path | None = None
) -> None:
    """Write artifacts of the graph in `out`, by default every one, and compare each with the interpreter.

    Raises TargetError, after the others are written, where one of `formats` cannot express the graph.
    """
    from edgekws import pipeline
    from edgekws.graph import golden, io

    graph = io.load(out / "graph.npz")
    clips = _clips(data, vectors, graph)
    golden.write(out / "export" / "golden.npz", graph, *clips.some(golden.PER_LABEL))
    emitters = {
        "c": lambda given: {**_c_files(given, clips, min_ram), **_listener_files(given, out, min_ram)},
        page.FORMAT: lambda given: page.files(given, out),
    }
    with console.progress() as report:
        exported = pipeline.export(graph, out / "export", clips.features, report, formats, emitters)
    results = exported.results
    if (not formats or "c" in formats) and "c" not in exported.refused:
        results += _compiled(graph, clips.features, min_ram)
    pipeline.write_parity(out / "export" / "parity.json", graph, results)
    _show(results, {} if formats else exported.refused)
    pipeline.require_parity(results)
    for reason in exported.refused.values() if formats else ():
        raise TargetError(reason)  # who asked for this one format gets no other in its place


_UNLABELLED = 12
"""Clips in golden vectors, where they have no labels."""


@dataclass(frozen=True)
class _Clips:
    """features: int8 [n, frames, coefficients]; labels: int64 [n], or [0] where they are not known."""

    features: np.ndarray
    labels: np.ndarray
    ids: Sequence[str]

    def some(self, per_label: int) -> tuple[np.ndarray, np.ndarray, list[str]]:
        """(features, labels, ids) of the first `per_label` clips of each label; without labels, of the first ones."""
        import numpy as np

        from edgekws.graph import golden

        known = len(self.labels) > 0
        chosen = golden.choose(self.labels, per_label) if known else np.arange(min(len(self.ids), _UNLABELLED))
        labels = self.labels[chosen] if known else self.labels
        return self.features[chosen], labels, [self.ids[int(at)] for at in chosen]


def _clips(data: Path, vectors: Path | None, graph: Graph) -> _Clips:
    """Those of `vectors`, or the test split of `data`."""
    import numpy as np

    from edgekws.data import dataset
    from edgekws.features import cache
    from firmware_io.bench import vectors as saved

    if vectors is None:
        loaded = dataset.load(data)
        require_equal(graph.labels, loaded.labels, f"the data set {loaded.name}")
        test = loaded.splits["test"]
        return _Clips(cache.int8_features(loaded, "test", graph.front_end), test.labels, test.ids)
    stored = saved.read(vectors, graph)
    labels = np.zeros(0, np.int64) if stored.labels is None else stored.labels
    return _Clips(stored.features, labels, stored.ids)


def _c_files(graph: Graph, clips: _Clips, min_ram: bool) -> dict[str, bytes]:
    from firmware_io.build import c_project

    features, labels, ids = clips.some(c_project.PER_LABEL)
    scores = graph.run(features)
    if not len(labels):  # the project names a label of each clip: here the graph's own answer
        labels, ids = scores.argmax(axis=1), [f"{name}, without a label: the answer of the graph" for name in ids]
    return c_project.files(graph, c_project.Golden(features, scores, labels, tuple(ids)), min_ram)


def _listener_files(graph: Graph, out: Path, min_ram: bool) -> dict[str, bytes]:
    """The C that listens, for models of streams; with the detector beside the graph, or one that nobody has chosen."""
    from edgekws.features.spec import FeatureSpec
    from firmware_io.build import c_listener

    spec = graph.features
    if not isinstance(spec, FeatureSpec) or spec.level != "stream" or spec.arithmetic != "fixed":
        return {}
    try:
        chosen = page.detector(graph, out)
        files = c_listener.files(graph, chosen, min_ram)
    except TargetError as error:
        console.warn(f"the C has no program that listens: {error}")
        return {}
    return {f"{c_listener.FOLDER}/{name}": content for name, content in files.items()}


def _compiled(graph: Graph, features: np.ndarray, min_ram: bool) -> list[Parity]:
    """The C on this computer, as plain C11 and with the instructions of this CPU."""
    from edgekws import pipeline
    from edgekws.emit import c
    from firmware_io import tools
    from firmware_io.build import host_cc, host_library, memory_plan

    memory = c.memory(graph, min_ram)
    for core in memory.scratch:
        console.out.print(f"c: {memory_plan.describe(memory, core)}")
    if not host_cc.has_compiler():
        hint = tools.install_hint(host_cc.COMPILER)
        console.out.print(f"[yellow]c was written but not run:[/] there is no {host_cc.COMPILER} here; {hint}")
        return []
    model, expected = c.emit(graph, min_ram), graph.run(features)
    runs = {"compiled for this machine": None, "compiled as plain C11": host_cc.PORTABLE}
    return [
        pipeline.compare("c", name, host_library.compile_model(model, None, options), features, expected)
        for name, options in runs.items()
    ]


def _show(results: list[Parity], refused: dict[str, str]) -> None:
    table = Table("artifact", "runtime", "clips", "differing integers", "largest", box=None)
    for row in results:
        table.add_row(row.artifact, row.runtime, str(row.clips), f"{row.differences} of {row.values}", str(row.largest))
    console.out.print(table)
    for artifact, reason in refused.items():
        console.out.print(f"[yellow]no {artifact}:[/] {reason}")
