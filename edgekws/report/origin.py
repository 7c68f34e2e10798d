"""Where the figures of a document come from, and which firmware gave them: one line each, for every rendering."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Row = Mapping[str, Any]


def is_trace(document: Row) -> bool:
    """Whether the figures are of a table that an instrument recorded, imported without a board."""
    return (document.get("provenance") or {}).get("source") == "trace"


def how(document: Row, kind: str) -> str:
    """A figure's `how` with its origin: "measured", or "measured, imported trace"."""
    return f"{kind}, imported trace" if is_trace(document) else kind


def line(document: Row) -> str:
    """Both in one line; "" without a board."""
    return "; ".join(filter(None, (provenance(document), build(document))))


def alerts(document: Row) -> list[str]:
    """The words that have to stand beside the verdict: of a replay, and of a build that was not verified."""
    origin, checked = document.get("provenance") or {}, document.get("build") or {}
    replayed = [provenance(document)] if origin.get("source") == "replay" else []
    return [*replayed, *([build(document)] if checked.get("status") == "unverified" else [])]


def provenance(document: Row) -> str:
    """ "live at ...", "REPLAY of traffic recorded ...", or what else is known; "" without a board."""
    origin = document.get("provenance")
    if not origin:
        return ""
    if origin["source"] == "replay":
        return f"REPLAY of traffic recorded {_moment(origin['recorded']) or 'at an unknown time'}"
    if origin["source"] == "trace":
        return "an imported trace; no board was used"
    if origin["source"] == "unknown":
        return "origin unknown: an older document does not say it"
    emulator = f", {origin['emulator']}" if origin["emulator"] else ""
    port = f" at {origin['port']}" if origin["port"] else ""
    return f"live{port}, {_moment(origin['started']) or 'at an unknown time'}{emulator}"


def build(document: Row) -> str:
    """ "build 0123abcd verified", "BUILD UNVERIFIED" with the reason, or "build unknown"; "" without a board."""
    checked, origin = document.get("build"), document.get("provenance") or {}
    if not checked or origin.get("source") == "trace":
        return ""
    if checked["status"] == "verified":
        return f"build {checked['id'][:8]} verified"
    if checked["status"] == "unverified":
        return "BUILD UNVERIFIED: the device reports no build id, so its firmware is not known"
    return "build unknown"


def _moment(text: str) -> str:
    return text.replace("T", " ")
