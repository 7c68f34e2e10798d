"""The report of a custom keyword: in a terminal, and as one page."""

from __future__ import annotations

from typing import Any

from edgekws.report.html import render

Row = dict[str, Any]
NO_RECORDING = (
    "NO RECORDING OF THE PHRASE BY A PERSON WAS TESTED: how often it is missed is not known. Record some, by people "
    "whose recordings were not trained on, and give their folder with --test"
)
NO_BACKGROUND = (
    "the threshold was chosen on synthesized speech alone: how often it is wrong where people speak is not known. Give "
    "hours of such sound, without the phrase, with --background"
)
SPEAKERS = "who spoke in the recordings is not known: people may be in training and test, which flatters the figures"


def rows(document: Row) -> list[tuple[str, str]]:
    """What was made and how good it is, as (name, text)."""
    speech, phrases = document["speech"], document["phrases"]
    kept = {name: count - sum(speech["refused"].get(name, {}).values()) for name, count in speech["said"].items()}
    refused = [
        f"{count} of {name} ({reason})" for name, each in speech["refused"].items() for reason, count in each.items()
    ]
    result = [
        ("phrase", document["plan"]["phrase"]),
        ("synthesized", ", ".join(f"{name} {count}" for name, count in kept.items()) or "nothing"),
        ("refused", ", ".join(refused) or "none"),
        ("near misses", f"{speech['near misses']:,} clips"),
        ("recordings", f"{document['recordings']['trained']} trained, {document['recordings']['held_out']} held out"),
        ("threshold", f"{document['threshold']} of 1,000, for {document['plan']['budget_per_hour']:g} an hour"),
        ("false accepts, validation", accepts(document["validation"])),
        ("false accepts, test", accepts(document["test"])),
        ("missed, held out", misses(phrases) if phrases else "not known: no recording was held out"),
        ("time", f"{document['seconds'] / 60:.1f} min"),
    ]
    if phrases and phrases["latency"]["median_ms"] is not None:
        at = phrases["latency"]
        latency = f"{at['median_ms']:.0f} ms median, {at['p95_ms']:.0f} ms 95th percentile, from the end of the phrase"
        result.insert(-1, ("latency", latency))
    return result


def accepts(part: Row) -> str:
    """Events, hours, the rate and its exact Poisson interval."""
    if part["per_hour"] is None:
        return "not known: there was no sound"
    low, high = part["interval"]["low"], part["interval"]["high"]
    return (
        f"{part['per_hour']:.2f} an hour ({low:.2f} to {high:.2f}): {part['events']} in {duration(part['hours'])}, "
        f"of which {duration(part['synthetic_hours'])} are synthesized"
    )


def duration(hours: float) -> str:
    """Hours; below a tenth of one, minutes."""
    return f"{hours:.2f} h" if hours >= 0.1 else f"{hours * 60:.1f} min"


def misses(phrases: Row) -> str:
    """Missed recordings and Wilson's interval."""
    low, high = phrases["interval"]
    return f"{phrases['rate']:.1%} ({low:.1%} to {high:.1%}): {phrases['missed']} of {phrases['n']}"


def warnings(document: Row) -> list[str]:
    """What the figures do not say."""
    results = [] if document["phrases"] else [NO_RECORDING]
    if not document["validation"]["real"]["hours"]:
        results.append(NO_BACKGROUND)
    if document["recordings"]["trained"] and document["phrases"]:
        results.append(SPEAKERS)
    if document["threshold"] > 1000:
        results.append("no threshold keeps the budget: the model detects nothing. Give more recordings or background")
    return results


def to_html(document: Row) -> str:
    """One page, without scripts and without anything from elsewhere."""
    missed = (document["phrases"] or {}).get("names", [])
    return render("phrase.html.j2", document=document, rows=rows(document), warnings=warnings(document), missed=missed)
