"""Runs many inputs through a Python reader in several processes. Each input is derived from its number alone.

A reader may return a value or raise an EdgeKwsError. Any other exception is a finding, and so is an input that takes
HANG_S seconds of processor time (time of other programs does not count) or more memory than MEMORY_BYTES.
"""

from __future__ import annotations

import multiprocessing
import random
import resource
import signal
import sys
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from itertools import islice
from types import FrameType
from typing import NoReturn, Protocol

from edgekws.errors import EdgeKwsError

HANG_S = 30.0
MEMORY_BYTES = 96 << 20
_CHUNK = 5000
_REPORT_S = 30.0


class Reader(Protocol):
    """A fuzzer's module."""

    def attempt(self, rng: random.Random) -> str:
        """Make one input and read it. Returns the outcome in a word; passes the reader's errors on."""


class _HangError(BaseException):
    """Not an Exception, so that no reader catches it."""


@dataclass
class Tally:
    outcomes: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        self.outcomes.update(other.outcomes)
        self.findings += other.findings

    def __str__(self) -> str:
        return ", ".join(f"{count} {outcome}" for outcome, count in self.outcomes.most_common())


def run(module: str, inputs: int, seed: int, jobs: int, report: Callable[[str], None], first: int = 0) -> bool:
    """Inputs number `first` to `first + inputs - 1` of `seed`; True when there was no finding."""
    total, reported_s = Tally(), time.monotonic()
    for tally in _tallies(module, inputs, seed, jobs, first):
        total.add(tally)
        for finding in tally.findings:
            report(finding)
        if time.monotonic() - reported_s > _REPORT_S:
            reported_s = time.monotonic()
            report(f"{total.outcomes.total()} inputs: {total}")
    report(f"{total.outcomes.total()} inputs: {total}")
    return not total.findings


def _tallies(module: str, inputs: int, seed: int, jobs: int, first: int) -> Iterator[Tally]:
    work = [(module, seed, at, min(_CHUNK, first + inputs - at)) for at in range(first, first + inputs, _CHUNK)]
    if jobs == 1:
        yield from map(chunk, work)
        return
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(chunk, work)


def chunk(work: tuple[str, int, int, int]) -> Tally:
    """Run `count` inputs. work: (module, seed, first, count). The limits hold for this chunk only."""
    module, seed, first, count = work
    reader: Reader = import_module(module)  # type: ignore[assignment]
    tally, numbers = Tally(), iter(range(first, first + count))
    with _time_limit(), warnings.catch_warnings():
        warnings.simplefilter("error")
        for number in islice(numbers, 1):  # warm-up: imports and caches do not count as memory of an input
            _run_one(reader, seed, number, tally)
        with _memory_limit():
            for number in numbers:
                _run_one(reader, seed, number, tally)
    return tally


def _run_one(reader: Reader, seed: int, number: int, tally: Tally) -> None:
    signal.setitimer(signal.ITIMER_PROF, HANG_S)
    try:
        outcome = reader.attempt(random.Random((seed << 64) + number))
    except EdgeKwsError as error:
        outcome = type(error).__name__
    except (Exception, _HangError) as error:
        outcome = "FINDING"
        trace = "".join(traceback.format_exception(error, limit=-6))
        tally.findings.append(f"FINDING at input {number} of seed {seed}:\n{trace[:200]} ... {trace[-1500:]}")
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    tally.outcomes[outcome] += 1


@contextmanager
def _time_limit() -> Iterator[None]:
    before = signal.signal(signal.SIGPROF, _hang)
    try:
        yield
    finally:
        signal.signal(signal.SIGPROF, before)


@contextmanager
def _memory_limit() -> Iterator[None]:
    """Limit the address space to MEMORY_BYTES above its present size; no limit on systems other than Linux."""
    if sys.platform != "linux":
        yield
        return
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (_in_use() + MEMORY_BYTES, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def _in_use() -> int:
    """Address space of this process in bytes."""
    with open("/proc/self/statm") as file:  # noqa: PTH123
        return int(file.read().split()[0]) * resource.getpagesize()


def _hang(number: int, frame: FrameType | None) -> NoReturn:
    raise _HangError(f"no result within {HANG_S:.0f} s of processor time")
