"""What older documents lack or claim too much; damaged parts are left as they are, for `document.checked` to name."""

from __future__ import annotations

from typing import Any

Row = dict[str, Any]


def with_drift(performance: object) -> object:
    """Version 1 had neither drift nor the host's seconds; a damaged section is left to `checked`."""
    if not isinstance(performance, dict):
        return performance
    latencies = performance.get("latencies_us")
    usable = (
        isinstance(latencies, list) and latencies and all(isinstance(us, int | float) and us > 0 for us in latencies)
    )
    return {**performance, "drift": latencies[-1] / latencies[0] - 1 if usable and latencies else None, "host_s": None}


def without_virtual_time(document: Row) -> Row:
    """The document without what an emulator's clock read, which is no time; damaged rows are left to `checked`."""
    shown = {
        key: [
            row for row in document[key] if not (isinstance(row, dict) and str(row.get("unit")).endswith("(virtual)"))
        ]
        for key in ("figures", "measurements")
        if isinstance(document.get(key), list)
    }
    board, layers = document.get("board"), document.get("layers")
    if isinstance(board, dict) and board.get("how") == "emulated" and isinstance(layers, list):
        shown["layers"] = [{**row, "us": None} if isinstance(row, dict) else row for row in layers]
    return {**document, **shown}
