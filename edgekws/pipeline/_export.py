"""integer graph -> artifacts, each run against the interpreter."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgekws import plugs
from edgekws.errors import ParityError, TargetError
from edgekws.files import read_json, sha256, write_bytes, write_json
from edgekws.graph import interp, io
from edgekws.graph.ir import Graph
from edgekws.pipeline._figures import versions
from edgekws.types import Progress

KIND, VERSION = "edgekws-parity", 1
MANIFEST, MANIFEST_KIND = "manifest.json", "edgekws-manifest"


@dataclass(frozen=True)
class Parity:
    """One runtime of one artifact against the interpreter. `differences` counts integers out of `values`."""

    artifact: str
    runtime: str
    clips: int
    values: int
    differences: int
    largest: int


@dataclass(frozen=True)
class Exported:
    """refused: artifact -> why this graph has none."""

    results: list[Parity]
    refused: dict[str, str]


def export(graph: Graph, out: Path, features: np.ndarray, progress: Progress) -> Exported:
    """Write every artifact that can express the graph, run it on `features` and compare with the interpreter.

    features: int8 [n, frames, coefficients]. Differences are counted, and `require_parity` judges them.
    """
    expected = interp.run(graph, features)
    kinds = plugs.names("emit")
    results: list[Parity] = []
    hashes: dict[str, str] = {}
    refused: dict[str, str] = {}
    for number, kind in enumerate(kinds):
        progress("export", number, len(kinds))
        emitter = plugs.load("emit", kind)
        try:
            files: dict[str, bytes] = emitter.emit(graph)
        except TargetError as error:  # the format cannot say this graph exactly; others can
            refused[kind] = str(error)
            continue
        hashes |= _written(files, out, kind)
        for runtime, execute in getattr(emitter, "executors", lambda _: {})(files).items():
            results.append(compare(kind, runtime, execute, features, expected))
    progress("export", len(kinds), len(kinds))
    _remove_outdated(out, hashes)
    write_json(out / MANIFEST, _manifest(graph, hashes, refused))
    return Exported(results, refused)


def _written(files: dict[str, bytes], out: Path, kind: str) -> dict[str, str]:
    """Write the files of one artifact; their hashes by path."""
    folder = out / kind if len(files) > 1 else out
    for name, content in files.items():
        write_bytes(folder / name, content)
    return {(folder / name).relative_to(out).as_posix(): sha256(content) for name, content in files.items()}


def _remove_outdated(out: Path, written: Mapping[str, str]) -> None:
    """An artifact of the graph before, which this graph cannot have, would be taken for its own."""
    if not (out / MANIFEST).exists():
        return
    for name in read_json(out / MANIFEST, MANIFEST_KIND, VERSION)["files"].keys() - written.keys():
        if (out / name).resolve().is_relative_to(out.resolve()):
            (out / name).unlink(missing_ok=True)


def compare(
    artifact: str, runtime: str, execute: Callable[[np.ndarray], np.ndarray], features: np.ndarray, expected: np.ndarray
) -> Parity:
    """Run one executor on `features` and count the integers that differ from `expected`."""
    gaps = np.abs(execute(features).astype(int) - expected.astype(int))
    return Parity(artifact, runtime, len(features), gaps.size, int((gaps > 0).sum()), int(gaps.max(initial=0)))


def write_parity(path: Path, graph: Graph, results: list[Parity]) -> None:
    rows = [asdict(result) for result in results]
    write_json(path, {"kind": KIND, "version": VERSION, "graph": io.digest(graph), "results": rows})


def require_parity(results: list[Parity]) -> None:
    """Raises ParityError when an artifact that claims to be exact differs from the interpreter."""
    wrong = [r for r in results if r.differences and r.runtime not in _may_differ(r.artifact)]
    if wrong:
        shown = "; ".join(f"{r.artifact} in {r.runtime}: {r.differences} of {r.values} integers" for r in wrong)
        raise ParityError("every exact artifact should equal the interpreter", got=shown)


def _may_differ(artifact: str) -> Mapping[str, str]:
    """Runtimes of an artifact that cannot always be exact -> why."""
    excused: Mapping[str, str] = getattr(plugs.load("emit", artifact), "MAY_DIFFER", {})
    return excused


def parity_rows(path: Path, graph: Graph) -> list[dict[str, Any]]:
    """What `export` found about this very graph, for a report; nothing when it has not run."""
    if not path.exists():
        return []
    document = read_json(path, KIND, VERSION)
    if document["graph"] != io.digest(graph):
        return []
    keys = ("artifact", "runtime", "differences")
    return [{**{key: row[key] for key in keys}, "n": row["clips"]} for row in document["results"]]


def _manifest(graph: Graph, hashes: dict[str, str], refused: dict[str, str]) -> dict[str, Any]:
    notes = {kind: getattr(plugs.load("emit", kind), "NOTE", "") for kind in plugs.names("emit")}
    return {
        "kind": MANIFEST_KIND,
        "version": VERSION,
        "graph": io.digest(graph),
        "provenance": graph.provenance,
        "target": graph.target,
        "rounding": notes,
        "files": hashes,
        "refused": refused,
        "versions": versions(),
    }
