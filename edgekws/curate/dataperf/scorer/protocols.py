"""The challenge's protocols by date: classifier, measure, size limit, seeds and order of classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edgekws.errors import ConfigError

OFFICIAL_SEEDS = (5, 69, 98, 70, 95, 64, 37, 11, 4, 32)
SIZES = (25, 60)
"""Selection sizes of the leaderboards."""

Measure = Literal["accuracy", "balanced accuracy", "macro F1"]


@dataclass(frozen=True)
class Protocol:
    """by_name: classes are numbered by sorted word, not by order of keys. limit: clips; None: the size given.

    classifiers: each is scored by itself, with one seed; none: the soft vote, once for each seed. line: what the
    challenge prints before the number.
    """

    date: str
    measure: Measure
    by_name: bool = True
    seeds: tuple[int, ...] = (0,)
    limit: int | None = None
    first_generation: bool = False
    classifiers: tuple[str, ...] = ()
    line: str = "Score: "


PROTOCOLS = {
    protocol.date: protocol
    for protocol in (
        Protocol("2022-02", "accuracy", first_generation=True, line="eval score"),
        Protocol("2022-03", "accuracy", by_name=False, limit=300, classifiers=("Perceptron", "svm")),
        Protocol("2022-04", "accuracy", by_name=False, limit=120, line="score"),
        Protocol("2022-09", "balanced accuracy", by_name=False, limit=120),
        Protocol("2022-11", "balanced accuracy", limit=120),
        Protocol("2023-03", "macro F1"),
        Protocol("2023-05", "macro F1", seeds=OFFICIAL_SEEDS),
    )
}


def named(date: str) -> Protocol:
    """The protocol of a date. Raises ConfigError that lists the available ones."""
    if date not in PROTOCOLS:
        raise ConfigError(f"--protocol should be one of {', '.join(PROTOCOLS)}", got=date)
    return PROTOCOLS[date]
