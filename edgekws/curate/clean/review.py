"""The review page without HTTP: pages of the ranking, sounds, and decisions, which are saved immediately."""

from __future__ import annotations

import io
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from edgekws.curate.clean.clips import Clips
from edgekws.curate.clean.rank import REASONS, Entry, Ranking
from edgekws.data import decisions
from edgekws.errors import ArtifactError, DataError

MOST_AT_ONCE = 100
_WAVE_COLUMNS = 160


class Review:
    """One ranking under review. Safe to use from several threads.

    Raises ArtifactError when ranking and clips are not of the same data, or `path` holds decisions about other data.
    """

    def __init__(self, clips: Clips, ranking: Ranking, path: Path) -> None:
        if ranking.sha256 != clips.sha256:
            hint = "make the ranking again"
            raise ArtifactError("the ranking should be about these clips", got=f"one about {ranking.data}", hint=hint)
        self.clips, self.ranking, self.path = clips, ranking, path
        places = {key: number for number, key in enumerate(zip(clips.splits, clips.ids, strict=True))}
        self._numbers = [places.get((entry.split, entry.id)) for entry in ranking.entries]
        self._labels = {entry.id: entry.label for entry in ranking.entries}
        self._lock = threading.Lock()
        self._decisions = decisions.read_or_new(path, clips.name, clips.sha256, self._labels.keys())

    def summary(self) -> dict[str, Any]:
        """Counts over all clips, as JSON."""
        return {
            "data": self.ranking.data,
            "clips": len(self.ranking.entries),
            "labels": self.clips.words,
            "reasons": self.ranking.counts(),
            "decisions": self._decisions.counts(),
            "file": self.path.name,
        }

    def page(self, start: int, count: int, reason: str, undecided: bool) -> dict[str, Any]:
        """`count` clips of the ranking from `start` on. reason: "" for all. Raises DataError for an unknown reason."""
        if reason and reason not in REASONS:
            raise DataError(f"a reason is one of {', '.join(REASONS)}", got=reason)
        matching = [
            place for place, entry in enumerate(self.ranking.entries) if self._matches(entry, reason, undecided)
        ]
        shown = matching[max(start, 0) :][: min(max(count, 0), MOST_AT_ONCE)]
        return {"total": len(matching), "start": start, "clips": [self._row(place) for place in shown]}

    def sound(self, place: int) -> bytes:
        """The clip at this place of the ranking as a .wav file. Raises DataError when it cannot be decoded."""
        import soundfile

        buffer = io.BytesIO()
        soundfile.write(buffer, self._samples(place), self.clips.rate_hz, format="WAV", subtype="PCM_16")
        return buffer.getvalue()

    def decide(self, clip: str, decision: str | None) -> dict[str, Any]:
        """Keep, drop or relabel a clip, or with None undo the decision; it is on disk when this returns.

        Raises DataError for an unknown clip or label.
        """
        if clip not in self._labels:
            raise DataError("a decision should be about a clip of the ranking", got=clip[:200])
        if decision is not None:
            self._require_possible(clip, decision)
        with self._lock:
            changed = self._decisions.with_one(clip, decision)
            decisions.save(changed, self.path)  # save before showing it
            self._decisions = changed
            return {"id": clip, "decision": decision, "decisions": changed.counts()}

    def _require_possible(self, clip: str, decision: str) -> None:
        if not decisions.is_decision(decision):
            raise DataError(f"a decision is {decisions.FORMS}, or none", got=decision[:200])
        label = decisions.label_of(decision)
        if label is not None and label not in self.clips.words:
            raise DataError(f"a label is one of {', '.join(self.clips.words)}", got=label[:200])
        if label == self._labels[clip]:
            raise DataError("a new label should be another", got=f"{label}, which it has", hint="keep it")

    def _matches(self, entry: Entry, reason: str, undecided: bool) -> bool:
        if undecided and entry.id in self._decisions.by_clip:
            return False
        return not reason or any(each.reason == reason for each in entry.reasons)

    def _row(self, place: int) -> dict[str, Any]:
        entry = self.ranking.entries[place]
        decision = self._decisions.by_clip.get(entry.id)
        return {**asdict(entry), "place": place, "decision": decision, "wave": self._wave(place)}

    def _wave(self, place: int) -> list[list[float]] | None:
        """None for an unreadable recording, so that the rest of the page is shown."""
        try:
            return waveform(self._samples(place))
        except DataError:
            return None

    def _samples(self, place: int) -> np.ndarray:
        if not 0 <= place < len(self._numbers):
            raise DataError(f"places of the ranking are 0..{len(self._numbers) - 1}", got=str(place))
        number = self._numbers[place]
        if number is None:
            raise DataError("a clip should be readable", got=self.ranking.entries[place].reasons[0].detail)
        return np.asarray(self.clips.read(np.array([number]))[0])


def waveform(samples: np.ndarray) -> list[list[float]]:
    """[minimum, maximum] within +-1 of up to 160 equal stretches. samples: int16 [n]."""
    parts = np.array_split(samples.astype(np.float64) / 32_768, min(_WAVE_COLUMNS, max(len(samples), 1)))
    return [[round(float(part.min(initial=0)), 3), round(float(part.max(initial=0)), 3)] for part in parts]
