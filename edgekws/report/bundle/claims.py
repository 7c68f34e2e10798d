"""What a manifest says of options and versions, held against the documents of the run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from edgekws import mlperf
from edgekws._version import __version__
from edgekws.errors import ArtifactError
from edgekws.files import read_content
from edgekws.report import schema
from edgekws.report.bundle.run_folder import TRAFFIC
from edgekws.report.session_check import Finding

Row = Mapping[str, Any]


def findings(folder: Path, written: Row, report: Row, bench: Row) -> Iterator[Finding]:
    """Findings about options, versions and schema.json. written: manifest.json; report, bench: the documents."""
    options = written["options"]
    wrong = [*_of_command(options, bench), *_of_windows(options, bench), *_of_clips(options, bench)]
    wrong += _of_firmware(options, report, bench)
    if _recorded(options, bench) and not (folder / TRAFFIC).exists():
        wrong.append(f"{TRAFFIC} is missing, although the traffic was recorded")
    yield _agree("manifest.json: options", wrong, "agree with the run")
    yield _agree("manifest.json: versions", list(_versions(written["versions"], report, bench)), "agree with the run")
    yield _agree("report.json: times", list(_times(report, bench["provenance"])), "in order")
    yield _schema(folder / schema.SCHEMA.name, written["versions"]["edgekws"])


def _agree(what: str, wrong: list[str], right: str) -> Finding:
    return Finding("error", what, "; ".join(wrong[:4])) if wrong else Finding("ok", what, right)


def _of_command(options: Row, bench: Row) -> Iterator[str]:
    origin, energy = bench["provenance"], bench["energy"]
    modes = {name.strip() for text in options.get("modes", ()) for name in str(text).split(",") if name.strip()}
    estimated = bool(energy) and energy["how"] == "estimated"
    if modes and modes | ({"performance"} if estimated else set()) != {*bench["modes"]}:
        yield f"modes {ascii(sorted(modes))[:80]}, but the run has {', '.join(bench['modes'])}"
    if options.get("board", bench["board"]["name"]) != bench["board"]["name"]:
        yield f"another board than {bench['board']['name']}"
    if energy and not options.get("meter"):
        yield "no meter, but the run has energy"
    if ("replay:" in str(options.get("port"))) != (origin["source"] == "replay"):
        yield f"port {ascii(options.get('port'))[:80]}, but the source is {origin['source']}"


def _of_windows(options: Row, bench: Row) -> Iterator[str]:
    """Number and length; of an aborted run and of an imported trace the number says nothing."""
    count, seconds = options.get("windows") or mlperf.WINDOWS, options.get("window_s") or mlperf.WINDOW_S
    performance, energy = bench["performance"] or {}, bench["energy"] or {}
    lengths = {
        "performance": performance.get("windows_s", []),
        "energy": [window["seconds"] for window in energy.get("windows", ())],
    }
    for mode, lasted in lengths.items():
        if not lasted:
            continue
        if len(lasted) != count and not bench["incomplete"] and bench["provenance"]["source"] != "trace":
            yield f"windows {count}, but {mode} has {len(lasted)}"
        if bench["valid"] and min(lasted) < seconds:
            yield f"window_s {seconds:g}, but a window of {mode} is shorter"


def _of_clips(options: Row, bench: Row) -> Iterator[str]:
    limit, n = options.get("clips") or 0, (bench["accuracy"] or {}).get("n", 0)
    if 0 < limit < n:
        yield f"clips {limit}, but {n} were answered"


def _of_firmware(options: Row, report: Row, bench: Row) -> Iterator[str]:
    min_ram, arena, firmware = options.get("min_ram", False), bench.get("arena"), bench["firmware"]
    if arena and arena["min_ram"] != min_ram:
        yield f"min_ram {min_ram}, but the memory plan is the other one"
    about = report["manifests"].get("firmware") or {}
    recipe, inputs = about.get("recipe") or {}, about.get("inputs") or {}
    if recipe.get("min_ram", min_ram) != min_ram:
        yield f"min_ram {min_ram}, but report.json says {recipe['min_ram']!a}"
    claimed = {"graph": bench["graph"]["sha256"], "firmware": firmware and firmware["sha256"]}
    yield from (f"report.json was made from another {name}" for name in inputs if inputs[name] != claimed.get(name))


def _recorded(options: Row, bench: Row) -> bool:
    if bench["provenance"]["source"] == "trace":
        return False
    return bool(options.get("spy") or options.get("mlperf") or bench["provenance"]["source"] == "replay")


def _versions(versions: Row, report: Row, bench: Row) -> Iterator[str]:
    if report["edgekws"] != versions["edgekws"]:
        yield f"edgekws {versions['edgekws']!a}, but report.json is of {report['edgekws']!a}"
    if versions["emulator"] != bench["provenance"]["emulator"]:
        yield "another emulator than the provenance"
    built = (report["manifests"].get("firmware") or {}).get("versions") or {}
    if versions["compiler"] != built.get("compiler", ""):
        yield f"compiler {ascii(versions['compiler'])[:80]}, but report.json says another"


def _times(report: Row, origin: Row) -> Iterator[str]:
    """The start of the run, its end, and the report follow each other."""
    names = [("started", origin["started"]), ("ended", origin["ended"]), ("created", report["created"])]
    try:
        known = [(name, datetime.fromisoformat(text).astimezone(UTC)) for name, text in names if text]
    except ValueError as error:
        yield ascii(str(error))[:80]
        return
    yield from (f"{name} before {earlier}" for (earlier, at), (name, later) in pairwise(known) if later < at)


def _schema(path: Path, version: str) -> Finding:
    what = f"{path.name}: of its version"
    try:
        same = read_content(path, "the schema", "") == schema.SCHEMA.read_bytes()
    except ArtifactError as error:
        return Finding("error", what, str(error))
    if same:
        return Finding("ok", what, "that of this edgekws")
    if version == __version__:
        return Finding("error", what, f"another one than edgekws {version} has")
    return Finding("warning", what, f"not checked: another version, edgekws {version}")
