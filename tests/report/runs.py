"""Runs that the tests of comparisons share: benches of a board with chosen figures."""

from __future__ import annotations

from copy import deepcopy

from edgekws.report.compare.runs import run
from tests.conftest import random_graph
from tests.report.documents import bench_document

GRAPH = random_graph()


def bench(how="emulated", us=(100.0, 101.0, 102.0), right=99, graph=GRAPH, **changes):
    """A bench of a board; latencies in the given range."""
    run_document = bench_document(graph)
    run_document["board"] |= {"how": how, "icount_shift": 6 if how == "emulated" else -1, "name": f"{how}-board"}
    instructions = us[1] * 10 if how == "emulated" else None
    run_document["performance"] |= {"latencies_us": list(us), "latency_us": us[1], "instructions": instructions}
    run_document["accuracy"] |= {"correct": right}
    return {**run_document, **changes}


def changed(document, **sections):
    """A copy with other values in its sections: changed(bench(), board={"clock_hz": 2})."""
    copy = deepcopy(document)
    for name, values in sections.items():
        copy[name] = {**(copy[name] or {}), **values} if isinstance(values, dict) else values
    return copy


def runs(*documents):
    return [run("ABCDEFGH"[number], f"{number}.json", document) for number, document in enumerate(documents)]
