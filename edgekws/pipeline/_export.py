"""integer graph -> artifacts, each compared with the interpreter."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgekws import plugins
from edgekws.errors import ParityError, TargetError
from edgekws.files import read_json, sha256, write_bytes, write_json
from edgekws.graph import interp, io
from edgekws.graph.ir import Graph
from edgekws.pipeline._figures import versions
from edgekws.types import Progress

KIND, VERSION = "edgekws-parity", 1
Emitter = Callable[[Graph], dict[str, bytes]]
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
    """results: comparisons with the interpreter; refused: artifact -> why it cannot express this graph."""

    results: list[Parity]
    refused: dict[str, str]


def export(
    graph: Graph,
    out: Path,
    features: np.ndarray,
    progress: Progress,
    kinds: Sequence[str] | None = None,
    emitters: Mapping[str, Emitter] | None = None,
) -> Exported:
    """Write every artifact that can express the graph, run it on `features` and compare with the interpreter.

    features: int8 [n, frames, coefficients]. kinds: the artifacts to write, by default all but those whose emitter says
    that this graph does not need it (`by_default`); existing artifacts of other kinds are kept if they are of the same
    graph. emitters: used instead of `emit` for these kinds. Differences are
    counted; `require_parity` raises for them.
    """
    expected = interp.run(graph, features)
    kinds = _emitter_names(graph, kinds)
    results: list[Parity] = []
    hashes: dict[str, str] = {}
    refused: dict[str, str] = {}
    for number, kind in enumerate(kinds):
        progress("export", number, len(kinds))
        emitter = plugins.load("emitters", kind)
        try:
            files: dict[str, bytes] = (emitters or {}).get(kind, emitter.emit)(graph)
        except TargetError as error:  # this format cannot express the graph exactly; others can
            refused[kind] = str(error)
            continue
        hashes |= _write_files(files, out, kind)
        for runtime, execute in getattr(emitter, "executors", lambda _: {})(files).items():
            results.append(compare(kind, runtime, execute, features, expected))
    progress("export", len(kinds), len(kinds))
    _finish(graph, out, kinds, hashes, refused)
    return Exported(results, refused)


def _emitter_names(graph: Graph, kinds: Sequence[str] | None) -> list[str]:
    """Module names of emitters. Raises ConfigError that lists them."""
    if not kinds:
        return [kind for kind in plugins.names("emitters") if _is_default(kind, graph)]
    for kind in kinds:
        plugins.load("emitters", kind)
    chosen = {kind.replace("-", "_") for kind in kinds}
    return [kind for kind in plugins.names("emitters") if kind in chosen]


def _is_default(kind: str, graph: Graph) -> bool:
    """Whether an artifact is written unasked: always, unless its emitter decides by the graph."""
    by_default: Callable[[Graph], bool] = getattr(plugins.load("emitters", kind), "by_default", lambda _: True)
    return by_default(graph)


def _finish(graph: Graph, out: Path, kinds: Sequence[str], hashes: dict[str, str], refused: dict[str, str]) -> None:
    """Write the manifest, which keeps the entries of other kinds; remove artifacts of an earlier graph."""
    previous = _previous(out / MANIFEST, MANIFEST_KIND)
    if previous["graph"] == io.digest(graph):
        replaced = {path for kind in kinds for path in previous["files"] if _kind_of_path(path) == kind}
        hashes = {path: value for path, value in previous["files"].items() if path not in replaced} | hashes
        refused = {kind: why for kind, why in previous["refused"].items() if kind not in kinds} | refused
    _remove_outdated(out, hashes)
    write_json(out / MANIFEST, _manifest(graph, hashes, refused))


def _previous(path: Path, kind: str) -> dict[str, Any]:
    return read_json(path, kind, VERSION) if path.exists() else {"graph": None}


def _kind_of_path(path: str) -> str:
    """The kind of artifact that a path of the manifest belongs to: its folder, or the emitter whose one file it is."""
    folder, _, rest = path.partition("/")
    if rest:
        return folder
    return next(
        (kind for kind in plugins.names("emitters") if getattr(plugins.load("emitters", kind), "FILE", "") == path), ""
    )


def _write_files(files: dict[str, bytes], out: Path, kind: str) -> dict[str, str]:
    """Write the files of one artifact; return their hashes by path."""
    folder = out / kind if len(files) > 1 else out
    for name, content in files.items():
        write_bytes(folder / name, content)
    return {(folder / name).relative_to(out).as_posix(): sha256(content) for name, content in files.items()}


def _remove_outdated(out: Path, written: Mapping[str, str]) -> None:
    """Remove artifacts of an earlier graph, which would be taken for this one's."""
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
    """Write parity.json. Rows of artifacts that are not in `results` are kept if they are of the same graph."""
    compared = {result.artifact for result in results}
    previous = _previous(path, KIND)
    kept = previous["results"] if previous["graph"] == io.digest(graph) else []
    rows = [row for row in kept if row["artifact"] not in compared] + [asdict(result) for result in results]
    write_json(path, {"kind": KIND, "version": VERSION, "graph": io.digest(graph), "results": rows})


def require_parity(results: list[Parity]) -> None:
    """Raises ParityError when an artifact that claims to be exact differs from the interpreter."""
    failed = [r for r in results if r.differences and r.runtime not in _may_differ(r.artifact)]
    if failed:
        shown = "; ".join(f"{r.artifact} in {r.runtime}: {r.differences} of {r.values} integers" for r in failed)
        raise ParityError("every exact artifact should equal the interpreter", got=shown)


def _may_differ(artifact: str) -> Mapping[str, str]:
    """Runtimes of an artifact that are not exact on every graph -> why."""
    reasons: Mapping[str, str] = getattr(plugins.load("emitters", artifact), "MAY_DIFFER", {})
    return reasons


def parity_rows(path: Path, graph: Graph) -> list[dict[str, Any]]:
    """The rows of parity.json about this graph, for a report; empty when `export` has not run."""
    if not path.exists():
        return []
    document = read_json(path, KIND, VERSION)
    if document["graph"] != io.digest(graph):
        return []
    keys = ("artifact", "runtime", "differences")
    return [{**{key: row[key] for key in keys}, "n": row["clips"]} for row in document["results"]]


def _manifest(graph: Graph, hashes: dict[str, str], refused: dict[str, str]) -> dict[str, Any]:
    notes = {kind: getattr(plugins.load("emitters", kind), "NOTE", "") for kind in plugins.names("emitters")}
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
