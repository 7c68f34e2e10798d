"""What the page shows and does, without HTTP: pages of the ranking, sounds, and decisions that are saved at once."""

from __future__ import annotations

import io
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from edgekws.clean import decisions
from edgekws.clean.clips import Clips
from edgekws.clean.rank import REASONS, Entry, Ranking
from edgekws.errors import ArtifactError, DataError

MOST_AT_ONCE = 100
_WAVE_COLUMNS = 160


class Review:
    """One ranking under review. Safe to use from several threads.

    Raises ArtifactError when ranking and clips are not of the same data, or `path` holds decisions about other data.
    """

    def __init__(self, clips: Clips, ranking: Ranking, path: Path) -> None:
        if ranking.sha256 != clips.sha256:
            hint = "make the ranking anew"
            raise ArtifactError("the ranking should be about these clips", got=f"one about {ranking.data}", hint=hint)
        self.clips, self.ranking, self.path = clips, ranking, path
        places = {key: number for number, key in enumerate(zip(clips.splits, clips.ids, strict=True))}
        self._numbers = [places[(entry.split, entry.id)] for entry in ranking.entries]
        self._ids = frozenset(clips.ids)
        self._lock = threading.Lock()
        self._decisions = decisions.read_or_new(path, clips.name, clips.sha256)

    def summary(self) -> dict[str, Any]:
        return {
            "data": self.ranking.data,
            "clips": len(self.ranking.entries),
            "reasons": self.ranking.found(),
            "decisions": self._decisions.counts(),
            "file": self.path.name,
        }

    def page(self, start: int, count: int, reason: str, undecided: bool) -> dict[str, Any]:
        """`count` clips of the ranking from `start` on. reason: "" for all. Raises DataError for a reason unknown."""
        if reason and reason not in REASONS:
            raise DataError(f"a reason is one of {', '.join(REASONS)}", got=reason)
        found = [place for place, entry in enumerate(self.ranking.entries) if self._wanted(entry, reason, undecided)]
        shown = found[max(start, 0) :][: min(max(count, 0), MOST_AT_ONCE)]
        return {"total": len(found), "start": start, "clips": [self._row(place) for place in shown]}

    def sound(self, place: int) -> bytes:
        """The clip at this place of the ranking as a .wav file. Raises DataError when there is none."""
        import soundfile

        buffer = io.BytesIO()
        soundfile.write(buffer, self._samples(place), self.clips.rate_hz, format="WAV", subtype="PCM_16")
        return buffer.getvalue()

    def decide(self, clip: str, decision: str | None) -> dict[str, Any]:
        """Keep or drop a clip, or with None forget what was decided; it is on disk when this returns."""
        if clip not in self._ids:
            raise DataError("a decision should be about a clip of the ranking", got=clip[:200])
        if decision not in (decisions.KEEP, decisions.DROP, None):
            raise DataError(f"a decision is {decisions.KEEP}, {decisions.DROP} or none", got=str(decision)[:200])
        with self._lock:
            changed = self._decisions.with_one(clip, decision)
            decisions.save(changed, self.path)  # what is shown is what is saved, so first the file
            self._decisions = changed
            return {"id": clip, "decision": decision, "decisions": changed.counts()}

    def _wanted(self, entry: Entry, reason: str, undecided: bool) -> bool:
        if undecided and entry.id in self._decisions.made:
            return False
        return not reason or any(found.reason == reason for found in entry.reasons)

    def _row(self, place: int) -> dict[str, Any]:
        entry = self.ranking.entries[place]
        wave = waveform(self._samples(place))
        return {**asdict(entry), "place": place, "decision": self._decisions.made.get(entry.id), "wave": wave}

    def _samples(self, place: int) -> np.ndarray:
        if not 0 <= place < len(self._numbers):
            raise DataError(f"places of the ranking are 0..{len(self._numbers) - 1}", got=str(place))
        return np.asarray(self.clips.read(np.array([self._numbers[place]]))[0])


def waveform(samples: np.ndarray) -> list[list[float]]:
    """[lowest, highest] in +-1 of each of some columns."""
    parts = np.array_split(samples.astype(np.float64) / 32_768, min(_WAVE_COLUMNS, max(len(samples), 1)))
    return [[round(float(part.min(initial=0)), 3), round(float(part.max(initial=0)), 3)] for part in parts]
