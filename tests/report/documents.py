"""Documents and pages that the tests of reports share. The bench document is written by hand on purpose:
it is the contract between firmware_io.bench and edgekws.report."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np

from edgekws import stats
from edgekws.graph.io import digest
from edgekws.types import Interval, Measurement

_VOID = {"meta", "br", "link", "input", "hr", "img"}


def bench_document(graph, wrong=0, **more):
    labels = graph.labels
    table = [[0] * len(labels) for _ in labels]
    for index in range(len(labels) - 1):  # the last class has no clips
        table[index][index] = 9
        table[index][0] += 1
    recalls = [
        {"label": r.label, "hits": r.hits, "n": r.n, "value": r.value, "interval": vars(r.interval)}
        for r in stats.recalls(np.array(table), labels)
    ]
    n = 10 * (len(labels) - 1)
    mismatch = {"clip": "yes/a.wav", "compared": "scores", "expected": [1] * 12, "got": [2] * 12}
    return {
        "kind": "edgekws-bench",
        "version": 3,
        "valid": not wrong,
        "verdict": f"board equals interpreter: {n - wrong} of {n}",
        "reasons": [f"board and interpreter differ on {wrong} clips"] if wrong else [],
        "incomplete": "",
        "modes": ["performance", "accuracy"],
        "energy": None,
        "provenance": {
            "source": "live", "run_id": "20261201-021530-performance-accuracy", "started": "2026-12-01T02:15:30+00:00",
            "ended": "2026-12-01T02:16:30+00:00", "recorded": "", "port": "qemu:b1",
            "emulator": "QEMU emulator version 7.2.22", "clips_sha256": "c" * 64,
        },
        "build": {"status": "verified", "id": "0123abcd" * 4, "expected": "0123abcd" * 4},
        "transfers": {"checked": True, "commands": 1234, "repeated": 2},
        "layers_us": [],
        "warnings": ["2 inputs were sent again"],
        "board": {
            "name": "b1", "title": "Board One", "core": "M4", "how": "emulated", "clock_hz": 1, "icount_shift": 6,
            "flash_bytes": 1000, "ram_bytes": 0, "cpu": more.pop("cpu", ""),
        },
        "device": {"name": "edgekws-b1", "profile": "p", "model": "kws01"},
        "graph": {"name": graph.name, "sha256": digest(graph), "labels": list(labels)},
        "arena": {"core": "dsp", "tensors_bytes": 8064, "scratch_bytes": 8848, "min_ram": False},
        "firmware": {"sha256": "f" * 64, "flash_bytes": 900, "ram_bytes": 77},
        "performance": {
            "clock": "virtual time", "iterations": [40] * 5, "windows_s": [10.5] * 5, "latencies_us": [262500.0] * 5,
            "latency_us": 262500.0, "inferences_per_s": 3.81, "spread": 0.0, "instructions": 4_101_562.5,
            "drift": 0.0, "host_s": None,
        },
        "accuracy": {
            "dataset": "dev split", "n": n, "compared": "scores", "matches": n - wrong, "text_matches": n,
            "mismatches": [mismatch] * wrong, "resent": 2, "host_s": 1.0, "correct": 99, "confusion": table,
            "recalls": recalls, "macro_auc": 0.99,
        },
        "measurements": [
            Measurement("top-1 accuracy, dev split", 0.9, "share", "emulated", n, Interval(0.83, 0.94), "b1").to_json(),
            Measurement("instructions per inference", 4_101_562.5, "instructions", "emulated", 5, board="b1").to_json(),
        ],
        **more,
    }  # fmt: skip


def _window(number, seconds):
    return 1.0 + (seconds + 1.0) * number, 1.0 + seconds + (seconds + 1.0) * number


def energy_section(how="emulated", seconds=2.0):
    """Five windows, 40 mW in them and 10 mW between them, one point every 20 ms; a single edge comes first."""
    edges = [0.5, *(edge for number in range(5) for edge in _window(number, seconds))]
    middles = [0.02 * (place + 0.5) for place in range(round(50 * (edges[-1] + 1)))]
    watts = [0.01 + 0.03 * any(_window(n, seconds)[0] <= t < _window(n, seconds)[1] for n in range(5)) for t in middles]
    joules = 0.04 * seconds
    window = {
        "iterations": 40, "seconds": seconds, "joules": joules, "idle_watts": 0.01,
        "uj_per_inference": 1e6 * joules / 40, "uj_per_inference_above_idle": 0.75e6 * joules / 40,
    }  # fmt: skip
    section = {
        "meter": "Meter One", "how": how, "rate_hz": 1000.0, "volts": 1.8, "dropped": 0, "windows": [window] * 5,
        "uj_per_inference": window["uj_per_inference"],
        "uj_per_inference_above_idle": window["uj_per_inference_above_idle"], "interval": None, "spread": 0.0,
        "source": "", "trace": {
            "seconds_per_point": 0.02, "watts": watts, "edges_s": edges,
        },
    }  # fmt: skip
    if how != "estimated":
        return section
    bounds = {"low": 1000.0, "high": 4000.0}
    unknown = {"windows": [], "uj_per_inference_above_idle": None, "trace": None, "rate_hz": 0.0, "volts": None}
    return {
        **section,
        **unknown,
        "meter": "model",
        "interval": bounds,
        "source": "data sheet, table 7",
        "chip": "STM32L4R5 at 120 MHz and 3 V",
    }


class Page(HTMLParser):
    """Checks that tags nest and ids are unique; keeps text and attributes."""

    def __init__(self, content):
        super().__init__()
        self.open, self.ids, self.words, self.attributes = [], [], [], []
        self.feed(content)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.attributes += attrs
        self.ids += [value for key, value in attrs if key == "id"]
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.attributes += attrs
        self.ids += [value for key, value in attrs if key == "id"]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self):
        return re.sub(r"\s+", " ", " ".join(self.words))
