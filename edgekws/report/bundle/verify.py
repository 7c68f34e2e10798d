"""Check the folder of a run: its files against their hashes, and its report against what it follows from.

Nothing that a document says is believed when it can be computed again. What needs the firmware's side (the build id of
firmware.elf, the traffic) is in firmware_io/bench/evidence.py.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgekws.errors import ArtifactError, EdgeKwsError
from edgekws.files import sha256_file
from edgekws.graph import io
from edgekws.graph.ir import Graph
from edgekws.report import build_report, document
from edgekws.report.bundle import claims, figures, manifest, pages
from edgekws.report.bundle.run_folder import BENCH, DOCUMENTS, REPORT
from edgekws.report.session_check import Finding

_ELSEWHERE = ("created", "edgekws", "figures", "warnings", "parity", "manifests")
"""Fields of a report that do not follow from its bench alone."""
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*")
"""Names of files: what they say is what a reader sees."""
Row = dict[str, Any]


def findings(folder: Path) -> list[Finding]:
    """All findings about the run in `folder`, those of its files first.

    Raises ArtifactError for a folder without a manifest that can be read.
    """
    written = manifest.read(folder)
    documents: dict[str, Row] = {}
    results = [*_files(folder, written), *_documents(folder, written, documents)]
    graph, about = _graph(folder, documents.get(BENCH))
    results += about
    if BENCH in documents:
        results += figures.findings(documents[BENCH])
    if BENCH in documents and REPORT in documents:
        results += claims.findings(folder, written, documents[REPORT], documents[BENCH])
        results += _report(documents[REPORT], documents[BENCH], graph) if graph is not None else []
    if REPORT in documents:
        results += pages.findings(folder, documents[REPORT], written)
    return results


def _files(folder: Path, written: Row) -> Iterator[Finding]:
    listed, there = written["files"], dict(manifest.files(folder))
    wrong = []
    for name in sorted(listed.keys() & there.keys()):
        try:
            right = sha256_file(there[name]) == listed[name]["sha256"] and not there[name].is_symlink()
            right = right and there[name].stat().st_size == listed[name]["bytes"]
        except OSError:
            right = False
        wrong += [] if right else [name]
    missing = sorted((listed.keys() | set(DOCUMENTS)) - there.keys())
    more = sorted(there.keys() - listed.keys())
    odd = sorted(name for name in listed.keys() | there.keys() if not _PLAIN.fullmatch(name))
    yield _listed("files: names", odd, "other characters than letters, digits, . _ -", "plain")
    yield _listed("files: content", wrong, "changed", f"{len(listed)} files have their hashes")
    yield _listed("files: missing", missing, "missing", "none")
    yield _listed("files: not in the manifest", more, "added", "none")


def _listed(what: str, names: list[str], how: str, right: str) -> Finding:
    if not names:
        return Finding("ok", what, right)
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    return Finding("error", what, f"{how}: {', '.join(ascii(name)[1:-1] for name in names[:4])}{more}")


def _documents(folder: Path, written: Row, documents: dict[str, Row]) -> Iterator[Finding]:
    """Reads report.json and bench.json into `documents`; both and the manifest have to agree."""
    for name, kind in ((REPORT, document.KIND), (BENCH, document.BENCH_KIND)):
        try:
            content = document.read(folder / name)
            if content["kind"] != kind:
                raise ArtifactError(f"{name} should be {kind}", got=content["kind"])
        except ArtifactError as error:
            yield Finding("error", f"{name}: schema", str(error))
            continue
        documents[name] = content
        yield Finding("ok", f"{name}: schema", f"{kind}, version {content['version']}")
    for section in ("provenance", "build"):
        others = [name for name, content in documents.items() if content[section] != written[section]]
        right = f"the same in {', '.join([*documents, manifest.NAME])}"
        got = f"{manifest.NAME} differs from {' and '.join(others)}" if others else right
        yield Finding("error" if others else "ok", section, got)
    run_id = written["provenance"]["run_id"]
    renamed = len({run_id, written["run_id"], folder.resolve().name}) > 1
    yield Finding(
        "warning" if renamed else "ok", "run", f"{run_id}, in the folder {folder.name}" if renamed else run_id
    )


def _graph(folder: Path, bench: Row | None) -> tuple[Graph | None, list[Finding]]:
    try:
        graph = io.load(folder / "graph.npz")
    except EdgeKwsError as error:
        return None, [Finding("error", "graph.npz", str(error))]
    claimed = bench["graph"]["sha256"] if bench else ""
    actual = io.digest(graph)
    right = actual == claimed
    got = f"hash {actual[:16]}" if right else f"hash {actual[:16]}, bench.json says {claimed[:16]}"
    return graph if right else None, [Finding("ok" if right else "error", "graph.npz", got)]


def _report(report: Row, bench: Row, graph: Graph) -> Iterator[Finding]:
    title = f"{graph.name} on {bench['board']['title']}"
    again = json.loads(json.dumps(build_report(title, graph, bench).to_json()))
    wrong = [key for key in again if key not in _ELSEWHERE and not figures.close(report[key], again[key])]
    wrong += [] if figures.close(report["figures"][: len(again["figures"])], again["figures"]) else ["figures"]
    kept = set(again["warnings"]) <= set(report["warnings"])
    wrong += [] if kept else ["warnings"]
    yield _listed("report.json: follows from bench.json", wrong, "other values", "every section and figure")
