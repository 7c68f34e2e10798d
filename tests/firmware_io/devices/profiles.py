"""Power profiles with known energy for virtual meters: idle, and inferences between the edges."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Profile = Callable[[np.ndarray], np.ndarray]  # seconds, float64 [n] -> watts, float64 [n]
EDGE_HOLD_S = 100e-6  # how long the timestamp pin stays low: a sample of the slowest logic input

IDLE_W, ACTIVE_W, RIPPLE_W = 0.0021, 0.0187, 0.0032


def constant(watts: float) -> Profile:
    return lambda seconds: np.full(seconds.shape, watts)


def bursts(edges: tuple[float, ...], ripple_hz: float = 40.0) -> Profile:
    """Idle outside of the edges, between edge 0 and 1, 2 and 3, ... active with a ripple."""

    def watts(seconds: np.ndarray) -> np.ndarray:
        active = np.searchsorted(edges, seconds, side="right") % 2 == 1
        ripple = RIPPLE_W * np.sin(2 * np.pi * ripple_hz * seconds)
        return np.where(active, ACTIVE_W + ripple, IDLE_W)

    return watts


def joules(profile: Profile, start_s: float, stop_s: float) -> float:
    """The exact energy, by the midpoint rule with steps far below a sample."""
    steps = 2_000_000
    step_s = (stop_s - start_s) / steps
    return float(profile(start_s + (np.arange(steps) + 0.5) * step_s).sum() * step_s)


def pin(seconds: np.ndarray, edges: tuple[float, ...], period_s: float) -> np.ndarray:
    """uint8 [n]: the timestamp pin in the sample periods that begin at `seconds`: low from each edge on for a while."""
    level = np.ones(seconds.shape, np.uint8)
    for edge in edges:
        level[(seconds + period_s > edge) & (seconds < edge + EDGE_HOLD_S)] = 0
    return level
