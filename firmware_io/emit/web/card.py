"""The model's card on the page: what it is, its figures, and how each was got."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping
from typing import Any

from edgekws import stats
from edgekws.detect import listener
from edgekws.detect.settings import NEVER, ONE, Settings
from edgekws.emit.c import stream
from edgekws.graph.io import digest
from edgekws.graph.ir import Graph

Row = tuple[str, str, str]
"""What, its value, and how it was got."""
_CORE = "portable"


def rows(graph: Graph, settings: Settings, module_bytes: int) -> list[Row]:
    """The rows of the card. module_bytes: of the WebAssembly."""
    spec, clock = graph.front_end, listener.clock(graph)
    memory, hop_ms = stream.memory(graph).total(_CORE), 1000 * spec.hop_samples / spec.rate_hz
    return [
        ("Model", f"{graph.name}, graph {digest(graph)[:12]}", ""),
        ("Words", ", ".join(settings.keywords), ""),
        (
            "Sound",
            f"{spec.rate_hz:,} Hz, features in fixed point every {hop_ms:g} ms",
            "",
        ),
        ("Network", f"{graph.parameter_bytes:,} bytes of parameters, a score every {clock.step_ms:g} ms", "computed"),
        ("Memory of the network", f"{memory:,} bytes", "computed"),
        ("Program on this page", f"{module_bytes:,} bytes of WebAssembly", "measured"),
        ("Detector", _detector(settings, clock.step_ms), ""),
        *_figures(settings.how),
    ]


def _detector(settings: Settings, step_ms: float) -> str:
    off = sum(value == NEVER for value in settings.thresholds_permille)
    values = sorted(value / ONE for value in settings.thresholds_permille if value != NEVER)
    text = "no word" if not values else f"threshold {values[0]:g}"
    if values and values[-1] != values[0]:
        text = f"thresholds {values[0]:g} to {values[-1]:g}"
    times = (
        f"mean of {settings.smoothing_steps * step_ms:g} ms, at least {settings.refractory_steps * step_ms:g} ms apart"
    )
    return f"{text}, {times}" + (f"; {off} words are switched off" if off else "")


def _figures(how: Mapping[str, Any]) -> Iterator[Row]:
    """Where the thresholds are from, and what was counted when they were chosen."""
    by = how.get("by", "")
    if by in ("", "default"):
        yield ("Thresholds", "nobody has chosen them: rates of errors are not known", "")
        return
    budget = how.get("budget_per_hour")
    yield ("Thresholds", f"by {by}" + (f", for {budget:g} false accepts per hour" if budget else ""), "")
    false, hours = how.get("validation_false_accepts"), how.get("validation_hours")
    if isinstance(false, int) and hours:
        mean = stats.poisson(false)
        interval = f"{mean.low / hours:.2f} to {mean.high / hours:.2f}"
        rate = f"{false / hours:.2f} per hour ({interval}): {false} in {hours:g} h"
        yield ("False accepts", rate, "measured on the validation stream, where the thresholds were chosen")
    missed, words = how.get("validation_missed"), how.get("validation_words")
    if isinstance(missed, int) and isinstance(words, int) and words:
        range_ = stats.wilson(missed, words)
        share = f"{missed / words:.1%} ({range_.low:.1%} to {range_.high:.1%}): {missed} of {words}"
        yield ("Words missed", share, "measured on the validation words, on which the thresholds were chosen")


def escaped(text: str) -> str:
    """For HTML."""
    return html.escape(text)
