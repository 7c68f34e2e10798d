"""Shared by the drivers over vendors' packages: the import of the package, blocks from another thread, decimation."""

from __future__ import annotations

import importlib
import threading
import time
from collections import deque
from typing import Any, Generic, TypeVar

import numpy as np

from edgekws.errors import ConfigError, EdgeKwsError
from firmware_io.monitors import Capabilities

Block = TypeVar("Block")


def package(module: str, distribution: str, extra: str) -> Any:  # noqa: ANN401
    """The vendor's `module`. Raises ConfigError, with the command that installs it, when it is missing."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ConfigError(
            f"{extra}: uses the package {distribution} of the meter's vendor",
            got=f"no such package ({error})",
            hint=f'run `pip install "edgekws[{extra}]"`, or `pip install {distribution}`',
        ) from error


def decimation_factor(scheme: str, capabilities: Capabilities, native_hz: float, rate_hz: float) -> int:
    """Samples of the instrument per sample of `rate_hz`. Raises ConfigError for an unsupported rate."""
    rates = [rate for rate in capabilities.rates_hz if rate <= native_hz and native_hz % rate == 0]
    if rate_hz not in rates:
        listed = ", ".join(f"{rate:.0f}" for rate in rates)
        raise ConfigError(f"{scheme}: samples at {listed} Hz here", got=f"{rate_hz:g} Hz")
    return round(native_hz / rate_hz)


def drain(queue: deque[Block]) -> list[Block]:
    """Removes and returns everything in `queue`; another thread may append to it meanwhile."""
    return [queue.popleft() for _ in range(len(queue))]


class Decimator:
    """Sums every `factor` sample periods, so that no energy is lost; an incomplete sum is kept for the next call."""

    def __init__(self, factor: int) -> None:
        self._factor = factor
        self._rest = np.empty(0)

    def add(self, joules: np.ndarray) -> np.ndarray:
        """Joules float64 [n] in, float64 [m] out: m complete periods of the lower rate."""
        if self._factor == 1:
            return joules
        everything = np.concatenate([self._rest, joules])
        whole = everything.size // self._factor * self._factor
        self._rest = everything[whole:]
        return np.asarray(everything[:whole].reshape(-1, self._factor).sum(axis=1))


class Inbox(Generic[Block]):
    """A queue from the driver's thread to the reading one. An error is raised after all blocks before it were taken."""

    def __init__(self) -> None:
        self._blocks: deque[Block] = deque()
        self._error: EdgeKwsError | None = None
        self._changed = threading.Condition()

    def put(self, block: Block) -> None:
        with self._changed:
            self._blocks.append(block)
            self._changed.notify()

    def fail(self, error: EdgeKwsError) -> None:
        """Record an error. Only the first one counts, for later ones are its consequences."""
        with self._changed:
            self._error = self._error or error
            self._changed.notify()

    @property
    def failed(self) -> bool:
        return self._error is not None

    def take(self, timeout_s: float) -> Block | None:
        """The oldest block; None after `timeout_s` without one. Raises the error once no block is left."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while not self._blocks:
                if self._error is not None:
                    raise self._error
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    return None
                self._changed.wait(remaining)
            return self._blocks.popleft()
