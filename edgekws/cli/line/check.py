"""`edgekws check`: estimated cost of a model on a device, and which of its layers the NPU can run."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from edgekws.cli import console
from edgekws.cli._options import BOARD
from edgekws.errors import ConfigError, TargetError

if TYPE_CHECKING:
    from edgekws.cost import Estimate, Memory
    from edgekws.graph.ir import Graph
    from edgekws.types import Measurement

KIND, VERSION = "edgekws-check", 1
GRAPH = "graph.npz"
_FLOAT = (".onnx", ".safetensors")
_CLIPS = 64
_UNITS = {"cycles": (1.0, "cycles"), "latency": (1e3, "ms"), "energy": (1e6, "uJ")}


def check(
    model: Annotated[
        Path,
        typer.Argument(
            help="An integer graph (graph.npz), a folder that holds one, or a released model by its name; "
            "or a float network: ONNX, or a checkpoint of `edgekws train`."
        ),
    ],
    target: Annotated[
        str | None, typer.Option(help="tinpu, tinpu:f28p55x, int8, ... Default: the target that the graph is for.")
    ] = None,
    bits: Annotated[
        int | None, typer.Option(help="Width of the weights, 8, 4 or 2, of a float network.", show_default="8")
    ] = None,
    strict: Annotated[bool, typer.Option(help="Also fail when a layer would run on the CPU.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document instead of tables.")] = False,
    over_streams: Annotated[
        bool, typer.Option("--streaming", help="Instead: cost and delay over a stream, or the layers that forbid one.")
    ] = False,
    convert: Annotated[
        Path | None,
        typer.Option(help="With --streaming: a folder for the model without padding in time, for longer clips."),
    ] = None,
) -> None:
    """Show where each layer would run and what it costs; fail (exit code 5) when the model does not fit.

    Bytes and multiplications follow from the model; cycles, time and energy are estimated.
    """
    from edgekws import cost, targets
    from edgekws.cli.line import streaming

    is_float = model.suffix in _FLOAT
    if convert is not None and not over_streams:
        raise ConfigError("--convert goes with --streaming", got="--convert alone")
    if bits is not None and not is_float:
        raise ConfigError("--bits goes with a float network: the widths of a graph are its own", got=f"--bits {bits}")
    graph = read_model(model, (target or "tinpu").partition(":")[0], 8 if bits is None else bits)
    if is_float:
        console.err.print(
            "[yellow]float network:[/] quantized with random inputs, so its offsets are only typical values"
        )
    if over_streams:
        streaming.check(graph, convert, as_json)
        return
    estimate = cost.estimate(graph, *targets.load(target or graph.target))
    if as_json:
        typer.echo(json.dumps(to_json(graph, estimate), indent=1))
    else:
        _show(graph, estimate)
    require(estimate, strict)
    if not (is_float or as_json):
        console.next_step("flash", "--board", BOARD, "--out", model)


def read_model(path: Path, target: str = "tinpu", bits: int = 8) -> Graph:
    """The integer graph in `path`, or the one that a float network would become for `target`.

    Raises ConfigError for another kind of file.
    """
    from edgekws import models
    from edgekws.graph import io

    path = models.find(path)
    if not path.exists():
        raise ConfigError(f"there is no file or folder {path}", hint=models.suggestion(path))
    path = path / GRAPH if path.is_dir() else path
    if path.suffix in _FLOAT:
        return _quantized(path, target, bits)
    if path.suffix != ".npz":
        expected = f"a model should be an integer graph ({GRAPH}), or a float network: {' or '.join(_FLOAT)}"
        raise ConfigError(
            expected, got=str(path), hint=f"run edgekws quantize, or name a released model: {', '.join(models.names())}"
        )
    return io.load(path)


def _quantized(path: Path, target: str, bits: int) -> Graph:
    """Layers and shapes do not depend on the data; ranges come from noise, because the file holds no clips."""
    import numpy as np

    import edgekws
    from edgekws import pipeline
    from edgekws.quant.frontends import onnx

    model: Any = path
    if path.suffix == ".onnx":
        network = onnx.read(path)
        shape = (network.frames, network.coefficients)
    else:
        trained = pipeline.load_trained(path)
        model, shape = trained.network, trained.features.shape
    clips = np.random.default_rng(0).normal(0, 32, (_CLIPS, *shape)).clip(-128, 127).astype(np.int8)
    net = edgekws.prepare(model, target, bits, clips, method="ptq")
    return edgekws.lower(net, name=path.stem, strict=False)


def require(estimate: Estimate, strict: bool) -> None:
    """Raises TargetError when a memory is too small, or when a layer was refused.

    A refused layer is no error where a CPU beside the accelerator can take it, unless `strict`.
    """
    over = [
        f"{memory.used} of {memory.limit} bytes of {memory.name}" for memory in estimate.memories if not memory.fits
    ]
    if over:
        hint = "make the network smaller, give its weights fewer bits, or take a larger device"
        raise TargetError(f"the model should fit {estimate.device.title}", got=", ".join(over), hint=hint)
    if estimate.on_cpu and (strict or estimate.device.npu is None):
        got = "; ".join(f"{layer.cost.name}: {layer.reason}" for layer in estimate.on_cpu)
        raise TargetError(f"every layer should be legal on {estimate.target}", got=got)


def to_json(graph: Graph, estimate: Estimate) -> dict[str, Any]:
    """The document of --json: every number of the tables, unrounded."""
    from edgekws.graph import io

    return {
        "kind": KIND,
        "version": VERSION,
        "graph": {"name": graph.name, "sha256": io.digest(graph), "target": graph.target},
        "target": estimate.target,
        "device": asdict(estimate.device),
        "layers": [asdict(layer) for layer in estimate.layers],
        "totals": {"macs": graph.macs, "parameter_bytes": graph.parameter_bytes, "cycles": estimate.cycles},
        "memories": [{**asdict(memory), "fits": memory.fits} for memory in estimate.memories],
        "measurements": [figure.to_json() for figure in estimate.measurements()],
        "on_cpu": len(estimate.on_cpu),
        "fits": estimate.fits,
    }


def _show(graph: Graph, estimate: Estimate) -> None:
    console.out.print(f"{graph.name} on {estimate.device.title} ({estimate.target}:{estimate.device.name})")
    console.out.print(_layers(graph, estimate))
    for figure in estimate.measurements():
        console.out.print(_figure(figure))
    for memory in estimate.memories:
        console.out.print(_memory(memory))
    for note in estimate.device.notes:
        console.out.print(f"[yellow]note:[/] {note}")
    legal = (
        f"{len(estimate.layers) - len(estimate.on_cpu)} of {len(estimate.layers)} layers are legal on {estimate.target}"
    )
    others = f", {len(estimate.on_cpu)} would run on the CPU" if estimate.device.npu else ""
    console.out.print(f"[bold]{'fits' if estimate.fits else 'DOES NOT FIT'}[/]: {legal}{others}")


def _layers(graph: Graph, estimate: Estimate) -> Table:
    table = Table("layer", "op", "output", "bits", "bytes", "MACs", "~cycles", "runs on", box=None)
    for layer, node in zip(estimate.layers, graph.nodes, strict=True):
        row, bits = layer.cost, str(node.weight_bits) if node.weight is not None else "-"
        shape = " x ".join(map(str, row.out_shape))
        refused = "CPU, because" if estimate.device.npu else "nowhere, because"
        unit = f"[yellow]{refused} {layer.reason}[/]" if layer.reason else layer.unit
        sizes = (f"{row.parameter_bytes:,}", f"{row.macs:,}", f"{layer.cycles:,.0f}")
        table.add_row(row.name, row.op, shape, bits, *sizes, unit)
    total = (f"{graph.parameter_bytes:,}", f"{graph.macs:,}", f"{estimate.cycles:,.0f}")
    table.add_row("all", "", "", "", *total, "", style="bold")
    return table


def _figure(figure: Measurement) -> str:
    factor, unit = _UNITS[figure.name]
    shown = f"{figure.name}: about {_number(figure.value * factor)} {unit} ({figure.how}"
    if figure.interval is None:
        return shown + ")"
    return f"{shown}, between {_number(figure.interval.low * factor)} and {_number(figure.interval.high * factor)})"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}"


def _memory(memory: Memory) -> str:
    limit = "no limit known" if memory.limit is None else f"of {memory.limit:,}"
    verdict = "" if memory.fits else " [bold red]too much[/]"
    return f"{memory.name}: {memory.used:,} bytes, {limit} ({memory.what}){verdict}"
