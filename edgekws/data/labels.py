"""The two labels of the reject class, and what to say about a model without them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from edgekws.errors import DataError

SILENCE, UNKNOWN = "_silence_", "_unknown_"
REJECT = (SILENCE, UNKNOWN)
"""MLPerf Tiny's names: no speech, and speech that is none of the words."""


def words(labels: Iterable[str]) -> tuple[str, ...]:
    """The labels that are words, in their order."""
    return tuple(label for label in labels if label not in REJECT)


def are_numbers(labels: Sequence[str]) -> bool:
    """Whether these are the names that an imported model has whose scores nobody named: class0, class1, ..."""
    return bool(labels) and all(label == f"class{number}" for number, label in enumerate(labels))


def reject_note(labels: Iterable[str]) -> str:
    """The sentence that every report and prediction of a model without a complete reject class says; "" with one.

    "Silence" and "unknown" in any case are one too: other tools write them so. Of scores without names nobody knows.
    """
    given = tuple(labels)
    if are_numbers(given):
        return "the scores of this model have no names: edgekws import --labels gives them"
    found = {label.strip("_").lower() for label in given}
    missing = [label for label in REJECT if label.strip("_") not in found]
    if not missing:
        return ""
    means = {SILENCE: "silence and noise", UNKNOWN: "other words"}
    taken = " and ".join(means[label] for label in missing)
    return f"this model has no {' and no '.join(missing)}: it takes {taken} for one of its words"


_HINT = "give the data set of its training with --data, or the folder of another model with --out"


def require_equal(model: Sequence[str], data: Sequence[str], source: str, hint: str = _HINT) -> None:
    """Raises DataError unless clips have the labels of the model, in its order. source: what the clips are from."""
    if tuple(model) == tuple(data):
        return
    if are_numbers(model):
        hint = "name the scores: edgekws import MODEL --labels " + ",".join(data)
    raise DataError(
        f"{source} should have the labels of the model: {', '.join(model)}",
        got=", ".join(data) if set(model) != set(data) else f"the same in another order, {', '.join(data)}",
        hint=hint,
    )
