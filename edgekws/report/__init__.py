"""Reports: report.json for programs, report.md for repositories, report.html for browsers.

The `edgekws-report` document, version 3 (report.json); schema.json beside this file defines each field:

kind, version, edgekws, title, created
verdict      {valid: true | false | null, text, reasons}; null without a board
incomplete   the error that ended the run early, "" for none; what was measured before it is kept
modes        the modes that were run: performance, accuracy, energy
provenance   source (live, replay, trace, unknown), run_id, started, ended, recorded, port, emulator, clips_sha256;
             null without a board
build        status (verified, unverified, unknown), id (of the device), expected (of the firmware); null without a
             board
warnings     sentences that qualify the figures
figures      measurements: name, value, unit, how, n, interval {low, high} | null, board, artifact_sha256
graph        name, target, sha256, labels, macs, parameter_bytes, peak_activation_bytes; imported_from, where it was
layers       name, op, out_shape, weight_bits, macs, macs_share, parameter_bytes, activation_bytes,
             us (null for an emulated board), instructions (null for any other; both null when the board does not
             report its layers), estimated_instructions (null without a cost model)
memory       rows of name, used, budget (bytes; budget 0: none set)
arena        the firmware's memory plan, part of its RAM: core, tensors_bytes, scratch_bytes, min_ram; null if unknown
board, device, performance, accuracy, energy, transfers      as in the `edgekws-bench` document, null without a board
parity       rows of artifact, runtime, n, differences [, note]
manifests    name -> manifest: kind, inputs, recipe, versions, notes

What version 2 added: incomplete, modes, energy, transfers, performance.drift and performance.host_s.
What version 3 added: provenance and build.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgekws import cost, targets
from edgekws._version import __version__
from edgekws.errors import ArtifactError, missing_package
from edgekws.files import write_json, write_text
from edgekws.graph.io import digest
from edgekws.graph.ir import Graph
from edgekws.report import attached
from edgekws.report.document import BENCH_KIND, BENCH_VERSION, KIND, VERSION, upgraded
from edgekws.types import Manifest, Measurement

_PARITY_KEYS = {"artifact", "runtime", "n", "differences"}
Row = dict[str, Any]


@dataclass(frozen=True)
class Report:
    """The document; the fields are described above."""

    title: str
    created: str
    verdict: Row
    incomplete: str
    modes: tuple[str, ...]
    provenance: Row | None
    build: Row | None
    warnings: tuple[str, ...]
    figures: tuple[Row, ...]
    graph: Row
    layers: tuple[Row, ...]
    memory: tuple[Row, ...]
    arena: Row | None
    board: Row | None
    device: Row | None
    performance: Row | None
    accuracy: Row | None
    energy: Row | None
    transfers: Row | None
    parity: tuple[Row, ...]
    manifests: dict[str, Row]

    def to_json(self) -> Row:
        return {"kind": KIND, "version": VERSION, "edgekws": __version__, **asdict(self)}


def build_report(
    title: str,
    graph: Graph,
    bench: Mapping[str, Any] | None = None,
    *,
    figures: Sequence[Measurement] = (),
    parity: Sequence[Mapping[str, Any]] = (),
    manifests: Mapping[str, Manifest | Mapping[str, Any]] | None = None,
    warnings: Sequence[str] = (),
    created: str = "",
) -> Report:
    """One report of everything that is known about a graph.

    bench: an `edgekws-bench` document (BenchRun.to_json()) of this graph, complete or not. figures: values
    from elsewhere, such as the float accuracy; their names should contain the data set's name.
    parity: rows {artifact, runtime, n, differences [, note]}.
    Raises ArtifactError when the bench is of another graph or version, or a parity row is incomplete.
    """
    run = _checked_bench(bench, graph) if bench is not None else {}
    for row in parity:
        if not set(row) >= _PARITY_KEYS:
            raise ArtifactError(f"a parity row should have {', '.join(sorted(_PARITY_KEYS))}", got=", ".join(row))
    return Report(
        title=title,
        created=created,
        verdict=_verdict(run),
        incomplete=run.get("incomplete", ""),
        modes=tuple(run.get("modes", ())),
        provenance=run.get("provenance"),
        build=run.get("build"),
        warnings=(*warnings, *run.get("warnings", ())),
        figures=(*run.get("measurements", ()), *(figure.to_json() for figure in figures)),
        graph=_graph(graph),
        layers=tuple(_layers(graph, run)),
        memory=tuple(_memory(run)),
        arena=run.get("arena"),
        board=run.get("board"),
        device=run.get("device"),
        performance=run.get("performance"),
        accuracy=run.get("accuracy"),
        energy=run.get("energy"),
        transfers=run.get("transfers"),
        parity=tuple(dict(row) for row in parity),
        manifests={name: _manifest(value) for name, value in (manifests or {}).items()},
    )


def write_report(report: Report, folder: Path) -> list[Path]:
    """Write report.json, report.md and report.html into `folder`, each atomically. Returns their paths.

    The page shows what `attached.write` left in `folder`. Without the extra edgekws[report] there is no page, and one
    of an earlier run is removed.
    """
    from edgekws.report.markdown import to_markdown

    document = report.to_json()
    paths = [folder / f"report.{suffix}" for suffix in ("json", "md", "html")]
    page, text = (
        page_of(document, attached.read(folder)),
        to_markdown(document),
    )  # rendered before the first file is replaced
    write_json(paths[0], document)
    write_text(paths[1], text)
    if page is None:
        paths.pop().unlink(missing_ok=True)
    else:
        write_text(paths[2], page)
    return paths


def page_of(document: Row, beside: attached.Attached | None = None) -> str | None:
    """The page of an `edgekws-report` document; None without the packages of the extra edgekws[report].

    beside: the files beside it that it shows.
    """
    from edgekws.report.html import to_html

    try:
        return to_html(document, beside)
    except ModuleNotFoundError as error:
        missing = missing_package(error)
        if missing is None or missing.extra != "report":
            raise
        return None


def _checked_bench(bench: Mapping[str, Any], graph: Graph) -> Row:
    if bench.get("kind") != BENCH_KIND:
        got = f"{bench.get('kind', 'an unknown kind')} version {bench.get('version', '?')}"
        raise ArtifactError(f"the bench should be {BENCH_KIND} version {BENCH_VERSION}", got=got, hint="run it again")
    run = upgraded(bench, "the bench")
    if run["graph"]["sha256"] != digest(graph):
        got = f"graph {run['graph']['sha256'][:12]}"
        hint = "bench the board again with this graph"
        raise ArtifactError(f"the bench should be of graph {digest(graph)[:12]}", got=got, hint=hint)
    return run


def _verdict(run: Row) -> Row:
    if not run:
        return {"valid": None, "text": "no board was measured", "reasons": []}
    return {"valid": run["valid"], "text": run["verdict"], "reasons": run["reasons"]}


def _graph(graph: Graph) -> Row:
    return {
        "name": graph.name,
        "target": graph.target,
        "sha256": digest(graph),
        "labels": list(graph.labels),
        "macs": graph.macs,
        "parameter_bytes": graph.parameter_bytes,
        "peak_activation_bytes": cost.peak_activation_bytes(graph),
        **_imported(graph.provenance),
    }


def _imported(provenance: Mapping[str, str]) -> Row:
    """The foreign file that the graph was made of; nothing for our own."""
    if "imported_from" not in provenance:
        return {}
    form, digest_of_file = (provenance.get(f"imported_{key}", "unknown") for key in ("format", "sha256"))
    return {"imported_from": f"{provenance['imported_from']}, {form}, SHA-256 {digest_of_file}"}


def _layers(graph: Graph, run: Row) -> list[Row]:
    """Shapes, sizes, and the board's and the cost model's figures of each layer."""
    board, times = run.get("board") or {}, run.get("layers_us") or [None] * len(graph.nodes)
    costs, shift = targets.KERNEL_COSTS.get(board.get("cpu", "")), board.get("icount_shift", -1)
    rows = []
    for node, layer, us in zip(graph.nodes, cost.layers(graph), times, strict=True):
        counted = us * 1000 / (1 << shift) if us is not None and shift >= 0 else None
        estimated = targets.instructions(node, costs) if costs else None
        time_us = None if board.get("how") == "emulated" else us  # an emulator's clock counts instructions
        rows.append({**asdict(layer), "us": time_us, "instructions": counted, "estimated_instructions": estimated})
    return rows


def _memory(run: Row) -> list[Row]:
    firmware, board = run.get("firmware"), run.get("board")
    if not firmware or not board:
        return []
    return [
        {"name": name, "used": firmware[f"{key}_bytes"], "budget": board[f"{key}_bytes"]}
        for name, key in (("Flash", "flash"), ("RAM", "ram"))
    ]


def _manifest(value: Manifest | Mapping[str, Any]) -> Row:
    return value.to_json() if isinstance(value, Manifest) else dict(value)
