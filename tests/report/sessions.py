"""Documents of complete runs, from which a session folder of MLPerf Tiny can be written."""

from __future__ import annotations

from edgekws.mlperf import kws01
from tests.report.documents import bench_document, energy_section


def answers(count=40, wrong=4):
    """Clips whose class has 700 of 1000, but for the first `wrong`, where the next class has."""
    rows = []
    for index in range(count):
        truth = index % 12
        permille = [27] * 12
        permille[(truth + (index < wrong)) % 12] = 700
        rows.append({"file": f"clip_{index:04d}.bin", "class": truth, "permille": permille})
    return rows


def official_answers(wrong=90):
    """All official files, of which the first `wrong` are classified as the next class."""
    rows = []
    for place, file in enumerate(kws01.files().values()):
        permille = [27] * 12
        permille[(file.label + (place < wrong)) % 12] = 700
        rows.append({"file": file.name, "class": file.label, "permille": permille})
    return rows


def proved(verified, unlisted, *problems):
    """The field `files` of an accuracy section."""
    return {"n": verified + unlisted, "verified": verified, "unlisted": unlisted, "problems": list(problems)}


def samples(seconds=10.5, rest_ms=1000):
    """Five windows of the energy section's 40 mW with 10 mW of rest on each side, in joules per millisecond."""
    busy_ms = round(1000 * seconds)
    one = {"joules": [1e-5] * rest_ms + [4e-5] * busy_ms + [1e-5] * rest_ms, "edges": [rest_ms, rest_ms + busy_ms]}
    return [one] * 5


def session_document(graph, kept=None, files=None, **changes):
    """A valid run of all modes with the official files. kept: only so many answers."""
    bench = bench_document(graph)
    rows = official_answers()[:kept]
    files = files or proved(len(rows), 0)
    bench["accuracy"] |= {"n": 1000, "dataset": "MLPerf Tiny kws01", "files": files}
    energy = energy_section("measured", seconds=10.5)
    first = official_answers()[:5]
    more = {"window_answers": {"performance": first, "energy": first}, "samples": samples()}
    return {**bench, "answers": rows, "energy": energy, **more, **changes}
