"""Counts differing integers from waveform to events, NumPy against the C of the boards on this computer, over hours.

    python benchmarks/stream_parity.py MODEL SOUND... [--hours 1.0]

SOUND: recordings, and folders of them, heard as one stream. Compared are: the rows of the front end, the scores of each
step, the posteriors' histogram and the events of the detector (each NumPy definition against its C), and the events of
the exported program `listen`, which is all of it in C from `ekw_push` on. The thresholds are crossed often: they are
posteriors that the first minutes reach at one step in fifty. After the sound come inputs that recordings do not have:
silence, full scale, steps, lone peaks, a constant, the highest frequency. Exits with 1 when anything differs.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from edgekws.cli import console
from edgekws.data.streams import files
from edgekws.detect import settings
from edgekws.detect.detector import Detector, Event
from edgekws.detect.evaluation import hearing
from edgekws.detect.listener import clock
from edgekws.detect.settings import Settings
from edgekws.features import extract, fixed
from edgekws.graph.ir import Graph
from edgekws.inference import model as models
from firmware_io.build import c_listener
from firmware_io.build.host_detector import CDetector

_LEARNED_S, _SHARE = 180, 98
BLOCK = 48_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("sound", type=Path, nargs="+")
    parser.add_argument("--hours", type=float, default=1.0, help="stop the recordings after this many")
    options = parser.parse_args()
    graph = models.read(options.model).graph
    if graph is None:
        sys.exit(f"{options.model} is no integer graph")
    rate_hz = graph.front_end.rate_hz
    paths = [path for each in options.sound for path in hearing.recordings(each)]
    chosen = low(graph, paths)
    with tempfile.TemporaryDirectory() as folder:
        compared = Compared(graph, chosen, Path(folder))
        limit = int(options.hours * 3600 * rate_hz)
        with console.progress() as report:
            for block in (*sound(paths, rate_hz, limit), *adversarial(rate_hz)):
                compared.push(block)
                report("seconds", min(compared.samples, limit) // rate_hz, limit // rate_hz)
        counts = compared.finished()
    for name, (differing, total) in counts.items():
        print(f"{name:24} {differing} of {total:,} differ")
    print(f"{compared.samples / rate_hz / 3600:.3f} h of sound, {graph.name}, computed on this computer")
    sys.exit(any(differing for differing, _ in counts.values()))


def sound(paths: list[Path], rate_hz: int, limit: int) -> Iterator[np.ndarray]:
    count = 0
    for path in paths:
        for block in files.opened(path, rate_hz):
            if count < limit:
                yield block
            count += len(block)


def adversarial(rate_hz: int) -> Iterator[np.ndarray]:
    """Three seconds of each input that recordings do not have."""
    at = np.arange(3 * rate_hz)
    rng = np.random.default_rng(0)
    peaks = np.where(at % 4_001 == 0, 32_767, 0)
    for values in (
        0 * at, 0 * at - 32_768, 0 * at + 32_767, np.where(at // 1_600 % 2, 32_767, -32_768), peaks, -peaks, 0 * at + 1,
        np.where(at % 2, 32_767, -32_768), rng.integers(-32_768, 32_768, len(at)), rng.integers(-1, 2, len(at)),
    ):  # fmt: skip
        yield values.astype(np.int16)


def low(graph: Graph, paths: list[Path]) -> Settings:
    """A detector whose thresholds are crossed often."""
    base = settings.default(graph.labels, clock(graph).step_ms)
    rate_hz = graph.front_end.rate_hz
    front_end, stream = extract.front_end(graph.front_end), graph.stream()
    blocks = sound(paths, rate_hz, _LEARNED_S * rate_hz)
    scores = np.concatenate([stream.push(front_end.push(block)) for block in blocks])
    posteriors = graph.permille(scores)[:, base.indices(graph.labels)]
    crossed = np.clip(np.percentile(posteriors, _SHARE, axis=0), 1, settings.ONE)
    return replace(base, thresholds_permille=tuple(int(value) for value in crossed), refractory_steps=5)


class Compared:
    """Both sides of one stream, pushed together; the C gets other blocks than NumPy."""

    def __init__(self, graph: Graph, chosen: Settings, folder: Path) -> None:
        spec = graph.front_end
        self.graph, self.columns = graph, chosen.indices(graph.labels)
        self.defined = (fixed.FrontEnd(spec), graph.stream("interp"), Detector(chosen))
        self.compiled = (extract.front_end(spec), graph.stream("c"), CDetector(chosen, None))
        self.samples = 0
        self.counts = {"rows, int8": [0, 0], "scores, int8": [0, 0], "events": [0, 0]}
        self.events: list[Event] = []
        self.chosen, self.folder = chosen, folder
        self.program = exported(graph, chosen, folder)
        self.printed = (folder / "events").open("w")
        command = [str(self.program)]
        self.listen = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=self.printed)

    def push(self, block: np.ndarray) -> None:
        self.samples += len(block)
        rows = self.defined[0].push(block)
        c_rows = np.concatenate([self.compiled[0].push(part) for part in np.array_split(block, 3)])
        scores = self.defined[1].push(rows)
        c_scores = np.concatenate([self.compiled[1].push(part) for part in np.array_split(c_rows, 2)])
        self._count("rows, int8", rows, c_rows)
        self._count("scores, int8", scores, c_scores)
        events = self.defined[2].push(self.graph.permille(scores)[:, self.columns])
        c_events = self.compiled[2].push(self.graph.permille(c_scores)[:, self.columns])
        self.counts["events"][0] += sum(map(tuple.__ne__, events, c_events)) + abs(len(events) - len(c_events))
        self.counts["events"][1] += len(events)
        self.events += events
        assert self.listen.stdin is not None
        self.listen.stdin.write(block.astype("<i2").tobytes())

    def finished(self) -> dict[str, tuple[int, int]]:
        """What differs, of how many."""
        assert self.listen.stdin is not None
        self.listen.stdin.close()
        self.listen.wait()
        self.printed.close()
        lines = (self.folder / "events").read_text().splitlines()
        printed = [(row["word"], row["time_samples"], row["score"]) for row in map(json.loads, lines)]
        time = clock(self.graph)
        expected = [(self.chosen.keywords[each.keyword], time.samples(each.step), each.score) for each in self.events]
        differing = sum(map(tuple.__ne__, printed, expected)) + abs(len(printed) - len(expected))
        histograms = self.defined[2].histogram, self.compiled[2].histogram
        self._count("histogram", *histograms)
        self.counts["events of listen"] = [differing, len(expected)]
        return {name: (count[0], count[1]) for name, count in self.counts.items()}

    def _count(self, name: str, one: np.ndarray, other: np.ndarray) -> None:
        if one.shape != other.shape:
            raise SystemExit(f"{name}: {one.shape} values against {other.shape}")
        count = self.counts.setdefault(name, [0, 0])
        count[0] += int(np.count_nonzero(one != other))
        count[1] += one.size


def exported(graph: Graph, chosen: Settings, folder: Path) -> Path:
    """The exported C project that listens, compiled."""
    for name, content in c_listener.files(graph, chosen).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    subprocess.run(["make", "-s", "listen"], cwd=folder, check=True)
    return folder / "listen"


if __name__ == "__main__":
    main()
