"""Where the figures of a run come from: a device, recorded traffic, or the table of a meter."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import numpy as np

from firmware_io.bench.modes import Vectors


@dataclass(frozen=True)
class Provenance:
    """source: live (a device answered), replay (recorded traffic), trace (an imported table), unknown.

    run_id: name of the run's folder. started, ended, recorded (of a replay's traffic): ISO 8601 with UTC offset.
    port: the URL that was opened. emulator: its version, "" without one. clips_sha256: of `clips_sha256`.
    model: the model's folder, as the command named it.
    """

    source: Literal["live", "replay", "trace", "unknown"] = "unknown"
    run_id: str = ""
    started: str = ""
    ended: str = ""
    recorded: str = ""
    port: str = ""
    emulator: str = ""
    clips_sha256: str = ""
    model: str = ""


def now() -> str:
    """The local time as ISO 8601 with UTC offset, to the second."""
    return datetime.now().astimezone().isoformat(timespec="seconds")


def clips_sha256(vectors: Vectors) -> str:
    """SHA-256 over the clips in their order, in hexadecimal.

    Of each clip: length of its name in UTF-8 (uint32), the name, label (int64, -1 if unknown), features (int8); all
    little-endian.
    """
    digest = hashlib.sha256()
    labels = np.full(len(vectors.ids), -1) if vectors.labels is None else vectors.labels
    for name, label, features in zip(vectors.ids, labels, vectors.features, strict=True):
        text = name.encode()
        digest.update(len(text).to_bytes(4, "little") + text + int(label).to_bytes(8, "little", signed=True))
        digest.update(np.ascontiguousarray(features, np.int8).tobytes())
    return digest.hexdigest()
