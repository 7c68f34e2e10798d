"""The two labels of the reject class, and what to say about a model without them."""

from __future__ import annotations

from collections.abc import Iterable

SILENCE, UNKNOWN = "_silence_", "_unknown_"
REJECT = (SILENCE, UNKNOWN)
"""MLPerf Tiny's names: no speech, and speech that is none of the words."""


def words(labels: Iterable[str]) -> tuple[str, ...]:
    """The labels that are words, in their order."""
    return tuple(label for label in labels if label not in REJECT)


def reject_note(labels: Iterable[str]) -> str:
    """The sentence that every report and prediction of a model without a complete reject class says; "" with one."""
    missing = [label for label in REJECT if label not in set(labels)]
    if not missing:
        return ""
    means = {SILENCE: "silence and noise", UNKNOWN: "other words"}
    taken = " and ".join(means[label] for label in missing)
    return f"this model has no {' and no '.join(missing)}: it takes {taken} for one of its words"
