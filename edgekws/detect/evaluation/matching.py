"""Which event belongs to which word.

An event is a hit of a word when it names it and comes within [onset, end + tau] of it, in samples that were read. Each
word takes the first such event that no earlier word took; it can have one hit, and an event can be the hit of one word.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from edgekws.detect.clock import Clock
from edgekws.detect.detector import Event
from edgekws.detect.evaluation.streams import Word


class Matched(NamedTuple):
    """hits: index of each word that was heard -> its event. missed: the other words. extra: events of no word."""

    hits: dict[int, Event]
    missed: list[int]
    extra: list[Event]


def match(events: Sequence[Event], words: Sequence[Word], clock: Clock, tau_samples: int) -> Matched:
    """events, words: of one stream, in order of time."""
    left, hits = list(events), dict[int, Event]()
    for number, word in enumerate(words):
        window = range(word.onset, word.end + tau_samples + 1)
        fits = (each for each in left if each.keyword == word.keyword and clock.samples(each.step) in window)
        event = next(fits, None)
        if event is not None:
            hits[number] = event
            left.remove(event)
    return Matched(hits, [number for number in range(len(words)) if number not in hits], left)


def nearest(event: Event, words: Sequence[Word], clock: Clock, tau_samples: int) -> Word | None:
    """The word within whose window an event comes that is not its hit; None between words."""
    at = clock.samples(event.step)
    inside = [word for word in words if word.onset <= at <= word.end + tau_samples]
    return inside[-1] if inside else None
