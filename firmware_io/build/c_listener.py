"""A self-contained C project that listens: samples in, events out. Its texts are in firmware/project/listen.

The golden test makes its own noise, so that it needs no recording: golden.h has the hash of all scores of it, and the
events at thresholds that the noise crosses.
"""

from __future__ import annotations

from dataclasses import replace
from string import Template

import numpy as np

from edgekws.detect import listener
from edgekws.detect.detector import Detector
from edgekws.detect.settings import Settings
from edgekws.emit.c import cores, listening, stream
from edgekws.emit.c.text import comment, integers
from edgekws.graph.io import digest
from edgekws.graph.ir import Graph
from firmware_io.build import FIRMWARE
from firmware_io.build.c_project import kernels

FOLDER = "listen"
"""Within the exported C."""
SAMPLES = 64_000
_TEXTS, _STREAM = FIRMWARE / "project" / "listen", FIRMWARE / "stream"
_FNV, _FNV_START = 16_777_619, 2_166_136_261
_SHARED = ("ekw.h", "ekw.c", "gate.h", "laps.h", "posteriors.h")
_SOURCES = "ekw.c ekw_config.c model.c model_stream.c"


def files(graph: Graph, settings: Settings, min_ram: bool = False) -> dict[str, bytes]:
    """All files of the project: path -> content. Raises what edgekws.emit.c.listening.files raises."""
    model = listening.files(graph, settings, min_ram)
    shared = {name: (_STREAM / name).read_bytes().replace(b'"stream/', b'"') for name in _SHARED}
    return {
        **model,
        **shared,
        **kernels([*model.values(), *shared.values()]),
        "golden.h": _golden(graph, settings).encode(),
        "listen.c": (_TEXTS / "listen.c").read_bytes(),
        "Makefile": (_TEXTS / "Makefile").read_bytes(),
        "README.md": _readme(graph, settings, min_ram).encode(),
    }


def noise(count: int = SAMPLES) -> np.ndarray:
    """That of listen.c, int16 [count]."""
    state, values = 1, np.empty(count, np.int16)
    for number in range(count):
        state = (state * 1_664_525 + 1_013_904_223) & 0xFFFF_FFFF
        values[number] = ((state >> 16) ^ 0x8000) - 0x8000 >> (number // 4000 % 8)
    return values


def _golden(graph: Graph, settings: Settings) -> str:
    scores = listener.Scorer(graph, settings.keywords, "interp", settings.gate).scores(noise())
    posteriors = graph.permille(scores)[:, settings.indices(graph.labels)]
    low = replace(settings, thresholds_permille=_crossed(posteriors))
    events = Detector(low).push(np.asarray(posteriors, np.int64))
    rate = listener.Listener(graph, low, "interp")
    named = [rate.detection(event) for event in events]
    lines = "".join(
        f"    {{{each.time_samples}, {settings.keywords.index(each.keyword)}, {event.score}}},\n"
        for event, each in zip(events, named, strict=True)
    )
    return f"""\
/* Noise of listen.c through graph {digest(graph)[:16]}: written by edgekws, do not edit. */
#ifndef EDGEKWS_GOLDEN_STREAM_H
#define EDGEKWS_GOLDEN_STREAM_H

#include <stdint.h>

#define EKW_GOLDEN_SAMPLES {SAMPLES}
#define EKW_GOLDEN_STEPS {len(scores)}
#define EKW_GOLDEN_HASH {_hash(scores)}u
#define EKW_GOLDEN_EVENTS {len(events)}

typedef struct {{
    uint64_t time_samples;
    int32_t keyword;
    int32_t score;
}} golden_event;

static const uint16_t golden_thresholds[{len(settings.keywords)}] = {integers(low.thresholds_permille)};
static const golden_event golden_events[EKW_GOLDEN_EVENTS + 1] = {{
{lines}    {{0, 0, 0}},
}};

#endif
"""


def _crossed(posteriors: np.ndarray) -> tuple[int, ...]:
    """A threshold for each keyword that its posteriors cross now and then: their upper quartile."""
    return tuple(int(value) for value in np.clip(np.percentile(posteriors, 75, axis=0), 1, 1000))


def _hash(scores: np.ndarray) -> int:
    """FNV-1a, 32 bits, of all scores in order."""
    value = _FNV_START
    for byte in scores.astype(np.uint8).tobytes():
        value = (value ^ byte) * _FNV & 0xFFFF_FFFF
    return value


def _readme(graph: Graph, settings: Settings, min_ram: bool) -> str:
    spec, memory = graph.front_end, stream.memory(graph, min_ram)
    rows = "\n".join(
        f"| {core} | `{cores()[core]}` | {memory.total(core):,} | {memory.state:,} | {memory.tensors:,} | {scratch:,} |"
        for core, scratch in memory.scratch.items()
    )
    step_ms = listener.clock(graph).step_ms
    values = {
        "name": comment(graph.name),
        "digest": digest(graph),
        "rate": spec.rate_hz,
        "coefficients": spec.coefficients,
        "hop": spec.hop_samples,
        "sources": _SOURCES,
        "words": ", ".join(listening.keyword_names(settings)),
        "step_ms": f"{step_ms:g}",
        "memory": rows,
    }
    return Template((_TEXTS / "README.md").read_text()).substitute(values)
