"""Compares the page of a model with this computer, on long sound: python benchmarks/web_stream.py MODEL SOUND...

SOUND: recordings or folders of them, joined in the order of their names; --hours ends them. The page that
`edgekws export --format web` would write runs in node, which has to be installed; the same samples go through
edgekws.detect with the engine --on (`c`, or `interp`, the definition). Compared are the FNV-1a hash of all scores, and
the events. Thresholds are so low that words are heard in anything: a quarter of all posteriors reach them.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from edgekws.data.streams import files
from edgekws.detect import listener, settings
from edgekws.detect.settings import Settings
from edgekws.errors import DataError
from edgekws.graph.ir import Graph
from edgekws.inference import model as models
from edgekws.inference import recordings
from firmware_io import tools
from firmware_io.emit import web

_SOME_S, _QUARTILE = 60, 75
_NODE = """
const fs = require("fs"), [html, sound] = process.argv.slice(1), page = fs.readFileSync(html, "utf8");
const part = (id) => page.match(new RegExp(`<script id="${id}"[^>]*>([^]*?)</script>`))[1];
const Engine = eval(part("engine") + "; Engine"), model = JSON.parse(part("model")), events = [];
const compiled = new WebAssembly.Module(Buffer.from(part("module"), "base64"));
const engine = new Engine(new WebAssembly.Instance(compiled), model);
model.thresholds.forEach((value, k) => engine.threshold(k, value));
const bytes = fs.readFileSync(sound), samples = new Int16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2);
const start = performance.now();
for (let at = 0; at < samples.length; at += 1281) {
  engine.push(samples.subarray(at, at + 1281), ({ event: e }) => e && events.push([e.time, e.keyword, e.score]));
}
const seconds = (performance.now() - start) / 1000;
console.log(JSON.stringify({ steps: engine.steps, hash: engine.fnv, events, seconds }));
"""


def main() -> None:
    options = parse()
    tools.require("node", "running the page")
    graph = models.read(options.model).graph
    if graph is None:
        raise SystemExit(f"{options.model} is no integer graph")
    sound = np.concatenate(list(blocks(options.sound, graph.front_end.rate_hz, options.hours)))
    chosen = crossed(graph, sound[: _SOME_S * graph.front_end.rate_hz])
    page = web.emit(graph, chosen)[web.FILE]
    found, start = in_node(page, sound), time.perf_counter()
    wanted = here(graph, chosen, sound, options.on)
    seconds, hours = time.perf_counter() - start, len(sound) / graph.front_end.rate_hz / 3600
    print(f"{hours:.3f} h of sound, page of {len(page):,} bytes")
    print(f"page in node: {found['steps']:,} steps, {len(found['events'])} events, {found['seconds']:.1f} s")
    print(f"{options.on} here: {wanted['steps']:,} steps, {len(wanted['events'])} events, {seconds:.1f} s")
    same = {key: found[key] == wanted[key] for key in wanted}
    print(", ".join(f"{key} {'equal' if equal else 'DIFFER'}" for key, equal in same.items()))
    if not all(same.values()):
        raise SystemExit(1)


def blocks(sounds: list[Path], rate_hz: int, hours: float) -> Iterator[np.ndarray]:
    """int16 blocks of all recordings; what is no recording is named."""
    left = round(hours * 3600 * rate_hz)
    for path in sorted(path for sound in sounds for path in recordings.listed(sound)):
        try:
            for block in files.opened(path, rate_hz):
                yield block[:left]
                left -= min(left, len(block))
        except DataError as error:
            print(f"left out: {error}")
        if not left:
            return


def crossed(graph: Graph, sound: np.ndarray) -> Settings:
    """A detector whose thresholds are the upper quartiles of the posteriors of some sound."""
    base = settings.default(graph.labels, listener.clock(graph).step_ms)
    posteriors = listener.Scorer(graph, base.keywords).push(sound)
    limits = np.clip(np.percentile(posteriors, _QUARTILE, axis=0), 1, settings.ONE).astype(int).tolist()
    return replace(base, thresholds_permille=tuple(limits), refractory_steps=2)


def in_node(page: bytes, sound: np.ndarray) -> dict[str, object]:
    """Steps, hash and events of the page's own text."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "page.html").write_bytes(page)
        (folder / "sound.raw").write_bytes(sound.astype("<i2").tobytes())
        line = ["node", "-e", _NODE, str(folder / "page.html"), str(folder / "sound.raw")]
        return dict(json.loads(subprocess.run(line, capture_output=True, text=True, check=True).stdout))


def here(graph: Graph, chosen: Settings, sound: np.ndarray, engine: str) -> dict[str, object]:
    """The same of edgekws.detect, block by block."""
    front, stream = listener.front_end(graph.front_end), graph.stream(engine)
    heard, hash_, steps, events = listener.Listener(graph, chosen, engine), 0x811C9DC5, 0, list[list[int]]()
    for at in range(0, len(sound), graph.front_end.rate_hz):
        block = sound[at : at + graph.front_end.rate_hz]
        scores = stream.push(front.push(block))
        steps += len(scores)
        for byte in scores.astype(np.uint8).tobytes():
            hash_ = (hash_ ^ byte) * 0x01000193 & 0xFFFFFFFF
        events += [[e.time_samples, chosen.keywords.index(e.keyword), e.score] for e in heard.push(block)]
    return {"steps": steps, "hash": hash_, "events": events}


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("sound", type=Path, nargs="+")
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--on", default="c", help="c or interp")
    return parser.parse_args()


if __name__ == "__main__":
    main()
