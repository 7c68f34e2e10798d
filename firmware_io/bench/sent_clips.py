"""The clips of a run, read back from its recorded traffic."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from firmware_io.bench.modes import Vectors
from firmware_io.bench.provenance import clips_sha256
from firmware_io.traffic import Event

_RESULTS = re.compile(r"m-results-\[([0-9.,]+)\]")
_LOAD, _BYTES = re.compile(r"\bdb load ([0-9]+)$"), re.compile(r"\bdb ([0-9A-Fa-f]+)$")
_STARTS = 64
"""Answers before those of the clips: one or two for each window, and the calibration."""


@dataclass(frozen=True)
class Heard:
    """One line with probabilities, and the input that was loaded before it."""

    text: str
    content: bytes


def heard(events: Sequence[Event]) -> list[Heard]:
    """Every answer of the device, in order."""
    return list(_heard(events))


def _heard(events: Sequence[Event]) -> Iterator[Heard]:
    command, line, loaded = "", "", bytearray()
    for event in events:
        text = event.content.decode("latin-1")
        if event.direction == "from":
            *lines, line = (line + text).split("\n")
            for one in lines:
                for values in _RESULTS.findall(one):
                    yield Heard(values, bytes(loaded))
            continue
        *commands, command = (command + text).split("%")
        for one in commands:
            if _LOAD.search(one):
                loaded.clear()
            elif digits := _BYTES.search(one):
                loaded += bytes.fromhex(digits[1][: len(digits[1]) // 2 * 2])


def have_hash(answers: Sequence[Mapping[str, Any]], answered: Sequence[Heard], expected: str) -> bool:
    """Whether some of `answered`, in order, are the `answers` of bench.json, and their inputs, names and classes have
    the hash `expected`: answers to the same clip, or repeated ones, are more than once in the traffic.
    """
    starts = range(min(len(answered) - len(answers) + 1, _STARTS))
    tried = (_aligned(answers, answered[start:]) for start in starts)
    backwards = _aligned(answers[::-1], answered[::-1])
    return any(inputs and _hash(answers, inputs) == expected for inputs in (*tried, backwards and backwards[::-1]))


def _aligned(answers: Sequence[Mapping[str, Any]], answered: Sequence[Heard]) -> list[bytes]:
    """The input of each answer, by the first match; empty when one has none."""
    rest, inputs = iter(answered), []
    for answer in answers:
        text = ",".join(f"{value // 1000}.{value % 1000:03d}" for value in answer["permille"])
        match = next((one for one in rest if one.text == text), None)
        if match is None:
            return []
        inputs.append(match.content)
    return inputs


def _hash(answers: Sequence[Mapping[str, Any]], inputs: Sequence[bytes]) -> str:
    if len({len(content) for content in inputs}) != 1:
        return ""
    labels = np.array([-1 if answer["class"] is None else answer["class"] for answer in answers])
    features = np.frombuffer(b"".join(inputs), np.int8).reshape(len(inputs), -1)
    return clips_sha256(Vectors("", tuple(answer["file"] for answer in answers), features, labels))
