"""Checks of get_timestamp_embeddings and of its times."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from edgekws.curate.embed.hear_check.probe import Finding, Probe

if TYPE_CHECKING:
    import numpy as np

CLIPS, SECONDS = 2, (1.07, 1.98, 4.0)
HOP_TOLERANCE_MS, ADVISED_HOP_MS = 1.0, 50.0
_NAME = "get_timestamp_embeddings"


def findings(probe: Probe) -> Iterator[Finding]:
    """Each kind of finding once, for the first clip length that shows it."""
    reported: set[tuple[str, str]] = set()
    for seconds in SECONDS:
        for each in _of_length(probe, seconds):
            if (each.level, each.check) not in reported:
                reported.add((each.level, each.check))
                yield each


def _of_length(probe: Probe, seconds: float) -> Iterator[Finding]:
    vectors, stamps = probe.times(probe.noise(CLIPS, seconds))
    if not bool(vectors.isfinite().all() and stamps.isfinite().all()):
        yield Finding("error", "numbers", f"{_NAME} returns NaN or infinity for noise of {seconds} s")
        return
    times = stamps.detach().cpu().numpy().astype("float64")
    if not times.shape[1]:
        yield Finding("error", "times", f"{_NAME} returns no times for {seconds} s")
        return
    if (times != times[:1]).any():
        yield Finding("error", "times", f"{_NAME} returns different times for clips of the same length")
    yield from _of_times(times[0], seconds * 1_000)


def _of_times(times: np.ndarray, length_ms: float) -> Iterator[Finding]:
    """times: float64 [t], ms"""
    first, last = float(times[0]), float(times[-1])
    if first < 0:
        yield Finding("error", "times", f"the first time should be 0 ms or later, it is {first:.1f} ms")
    if last > length_ms:
        yield Finding("error", "times", f"the last time should be within the {length_ms:.0f} ms, it is {last:.1f} ms")
    if len(times) == 1:
        if length_ms > ADVISED_HOP_MS:
            yield Finding(
                "warning", "hop", f"there is one time in {length_ms:.0f} ms; a hop of at most 50 ms is recommended"
            )
        return
    hops = times[1:] - times[:-1]
    if hops.min() <= 0:
        yield Finding("error", "hop", f"times should increase, they go from {_first_decrease(times)}")
        return
    hop = float(hops.mean())
    if abs(hops - hop).max() > HOP_TOLERANCE_MS:
        text = f"the hop should be constant within 1 ms, it is {hops.min():.1f} to {hops.max():.1f} ms"
        yield Finding("error", "hop", text)
    if hop > ADVISED_HOP_MS:
        yield Finding("warning", "hop", f"the hop is {hop:.1f} ms; at most 50 ms is recommended")
    if first > hop:
        yield Finding(
            "warning", "ends", f"the first time is {first:.1f} ms, more than one hop of {hop:.1f} ms after the start"
        )
    if length_ms - last > hop:
        text = f"the last time is {last:.1f} ms, more than one hop of {hop:.1f} ms before the end at {length_ms:.0f} ms"
        yield Finding("warning", "ends", text)


def _first_decrease(times: np.ndarray) -> str:
    place = int((times[1:] - times[:-1]).argmin())
    return f"{times[place]:.1f} to {times[place + 1]:.1f} ms"
