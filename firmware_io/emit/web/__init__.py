"""A web page that listens: the C of the boards as WebAssembly, in one HTML file that requests nothing.

page.html    the page, with places for the parts below
engine.js    samples -> scores and events, through the module; also the resampler
worklet.js   the engine on the audio thread: microphone in, messages out
page.js      microphone, files, thresholds, events; chart.js draws the timeline
model.json   made here: names, thresholds, and the card
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgekws.detect import listener
from edgekws.detect import settings as detector
from edgekws.detect.settings import Settings
from edgekws.emit.c import listening
from edgekws.graph.ir import Graph
from firmware_io.build import FIRMWARE, wasm
from firmware_io.emit.web import card

FILE, KIND, VERSION = "listen.html", "web", 1
NOTE = "the C of the boards as WebAssembly: the integers of the interpreter, from waveform to events"
_HERE = Path(__file__).parent
_PARTS = ("page.css", "engine.js", "worklet.js", "chart.js", "page.js")
_PLACE = re.compile(r"\{\{([a-z.]+)\}\}")


def by_default(graph: Graph) -> bool:  # noqa: ARG001 (each emitter may ask the graph)
    """Only who asks for a page gets one: it needs a compiler that nothing else needs."""
    return False


def emit(graph: Graph, settings: Settings | None = None) -> dict[str, bytes]:
    """{"listen.html": bytes}. settings: the detector; by default the one whose thresholds nobody has chosen.

    Raises TargetError for a graph that cannot run over a stream or whose front end is not for one, BoardError without
    a compiler, and what edgekws.emit.c.listening.files raises.
    """
    chosen = settings or _default(graph)
    module = wasm.module({**listening.files(graph, chosen), **_stream_sources()})
    return {FILE: _page(graph, chosen, module).encode()}


def _default(graph: Graph) -> Settings:
    return detector.default(graph.labels, listener.clock(graph).step_ms)


def _stream_sources() -> Mapping[str, bytes]:
    return {path.name: path.read_bytes() for path in (FIRMWARE / "stream" / "ekw.c", FIRMWARE / "web" / "web.c")}


def _page(graph: Graph, settings: Settings, module: bytes) -> str:
    parts = {name: (_HERE / name).read_text("utf-8") for name in _PARTS}
    parts |= {
        "model.json": _inline(_model(graph, settings, module)),
        "module": base64.b64encode(module).decode(),
        "title": card.escaped(graph.name),
    }
    return _PLACE.sub(lambda found: parts[found[1]], (_HERE / "page.html").read_text("utf-8"))


def _model(graph: Graph, settings: Settings, module: bytes) -> dict[str, Any]:
    clock = listener.clock(graph)
    return {
        "kind": f"edgekws-{KIND}",
        "version": VERSION,
        "name": graph.name,
        "rateHz": graph.front_end.rate_hz,
        "hop": graph.front_end.hop_samples,
        "stepSamples": clock.step,
        "labels": len(graph.labels),
        "keywords": list(settings.keywords),
        "thresholds": list(settings.thresholds_permille),
        "never": detector.NEVER,
        "card": card.rows(graph, settings, len(module)),
    }


def _inline(value: Any) -> str:  # noqa: ANN401
    """JSON that may stand in a script element: no text in it can end the element."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
