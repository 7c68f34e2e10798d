"""C of a model that listens: its network over a stream, its front end, and ekw_config.h, which firmware/stream needs.

Names of the keywords, thresholds and smoothing from the detector's settings, rates, and two ids by which a host finds
out whether a board holds the model that it means.
"""

from __future__ import annotations

import hashlib
import json
import re

from edgekws.detect import gate
from edgekws.detect.settings import Settings
from edgekws.emit import c
from edgekws.emit.c import front_end, stream
from edgekws.emit.c.text import braced, comment
from edgekws.errors import TargetError
from edgekws.features.presets import SWW01_FIXED_POINT
from edgekws.features.spec import FeatureSpec
from edgekws.graph.io import digest
from edgekws.graph.ir import Graph
from edgekws.graph.stream.plan import plan

FRONT_END = "ekw_front_end.h"
FILES = ("ekw_config.h", "ekw_config.c")
ID_DIGITS = 8
VERSION = 1
"""Of the arithmetic of the front end; another one gives other integers."""
SWW01 = "EKW_SWW01"
"""Defined in ekw_config.h where inputs and outputs are those of MLPerf Tiny's streaming wake word."""
MOST_EVENTS = 4
"""Events that wait to be taken."""
_SWW01_LABELS = 3
_UNSAFE = re.compile(r"[^ -+\--Z^-~]")


def front_end_id(spec: FeatureSpec) -> str:
    """Eight hexadecimal digits that differ between front ends which give other integers."""
    text = json.dumps({"version": VERSION, **spec.to_json()}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:ID_DIGITS]


def graph_id(graph: Graph) -> str:
    """Eight hexadecimal digits of the graph's hash."""
    return digest(graph)[:ID_DIGITS]


def is_sww01(graph: Graph, step_rows: int) -> bool:
    """Whether the graph takes the inputs of MLPerf Tiny's streaming wake word, and has its three labels."""
    return graph.front_end == SWW01_FIXED_POINT and len(graph.labels) == _SWW01_LABELS and step_rows == 1


def keyword_names(settings: Settings) -> tuple[str, ...]:
    """The keywords as a board writes them: printable ASCII without backslash, comma and square brackets."""
    return tuple(_UNSAFE.sub("_", word) for word in settings.keywords)


def files(graph: Graph, settings: Settings, min_ram: bool = False) -> dict[str, bytes]:
    """All C of a model that listens: what firmware/stream takes, and firmware_io.build for a board.

    Raises TargetError for a graph that cannot run over a stream or whose level rule needs the whole clip, ConfigError
    for a front end that has no integers or a keyword that is no label, DataError where the front end is not known.
    """
    spec = graph.front_end
    if spec.level != "stream" or spec.arithmetic != "fixed":
        raise TargetError(
            "a board that listens needs a front end in fixed point whose level does not change",
            got=f'arithmetic = "{spec.arithmetic}", level = "{spec.level}"',
            hint='train with arithmetic = "fixed" and level = "stream" under [features] of the recipe',
        )
    steps = plan(graph).step_rows
    guarded = f"#ifndef EKW_FRONT_END_H\n#define EKW_FRONT_END_H\n\n{front_end.definitions(spec)}\n#endif\n"
    return {
        **c.emit(graph, min_ram),
        **stream.emit(graph, min_ram),
        FRONT_END: f"/* {comment(graph.name)}: its front end, written by edgekws, do not edit. */\n{guarded}".encode(),
        **emit(graph, spec, settings, steps),
    }


def emit(graph: Graph, spec: FeatureSpec, settings: Settings, step_rows: int) -> dict[str, bytes]:
    """The two files. step_rows: rows of features from one score to the next.

    Raises ConfigError for a keyword that is no label of the graph.
    """
    return dict(zip(FILES, (_header(graph, spec, settings, step_rows), _source(graph, settings)), strict=True))


def _header(graph: Graph, spec: FeatureSpec, settings: Settings, step_rows: int) -> bytes:
    numbers = {
        "EKW_RATE_HZ": spec.rate_hz,
        "EKW_WINDOW_SAMPLES": spec.window_samples,
        "EKW_HOP_SAMPLES": spec.hop_samples,
        "EKW_COEFFICIENTS": spec.coefficients,
        "EKW_STEP_ROWS": step_rows,
        "EKW_LABELS": len(graph.labels),
        "EKW_DETECTOR_KEYWORDS": len(settings.keywords),
        "EKW_SMOOTHING_STEPS": settings.smoothing_steps,
        "EKW_REFRACTORY_STEPS": settings.refractory_steps,
        "EKW_MOST_EVENTS": MOST_EVENTS,
        **_gate(graph, spec, settings, step_rows),
    }
    if is_sww01(graph, step_rows):
        numbers[SWW01] = 1
    lines = "".join(f"#define {name} {value}\n" for name, value in numbers.items())
    return f"""\
/* {comment(graph.name)}, listening: written by edgekws, do not edit. */
#ifndef EKW_CONFIG_H
#define EKW_CONFIG_H

#include <stdint.h>

{lines}
/* First digits of the hashes of the front end and of the graph. */
#define EKW_FRONT_END_ID "{front_end_id(spec)}"
#define EKW_GRAPH_ID "{graph_id(graph)}"

extern const char *const ekw_keywords[EKW_DETECTOR_KEYWORDS];
extern const uint8_t ekw_keyword_labels[EKW_DETECTOR_KEYWORDS]; /* index of each among the labels of the model */
extern const uint16_t ekw_thresholds[EKW_DETECTOR_KEYWORDS];    /* thousandths, those of the model */

#endif
""".encode()


def _gate(graph: Graph, spec: FeatureSpec, settings: Settings, step_rows: int) -> dict[str, int]:
    """What stream/gate.h needs; nothing where the network always runs."""
    if settings.gate is None:
        return {}
    return {
        "EKW_GATE_MARGIN": settings.gate.margin,
        "EKW_GATE_HANGOVER_ROWS": settings.gate.hangover_steps * step_rows,
        "EKW_GATE_VALUES": gate.level_values(spec),
        "EKW_GATE_CLIP_ROWS": graph.clip_shape[0],
        "EKW_GATE_LABEL": gate.rest_label(graph.labels, settings.keywords),
    }


def _source(graph: Graph, settings: Settings) -> bytes:
    names = ", ".join(f'"{name}"' for name in keyword_names(settings))
    return "".join(
        (
            f'/* {comment(graph.name)}, listening: written by edgekws, do not edit. */\n#include "ekw_config.h"\n\n',
            f"const char *const ekw_keywords[EKW_DETECTOR_KEYWORDS] = {{{names}}};\n",
            braced("const uint8_t ekw_keyword_labels[EKW_DETECTOR_KEYWORDS]", settings.indices(graph.labels)),
            braced("const uint16_t ekw_thresholds[EKW_DETECTOR_KEYWORDS]", list(settings.thresholds_permille)),
        )
    ).encode()
