"""What the page shows and does, without HTTP: pages of the ranking, sounds, and decisions that are saved at once."""

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
            hint = "make the ranking anew"
            raise ArtifactError("the ranking should be about these clips", got=f"one about {ranking.data}", hint=hint)
        self.clips, self.ranking, self.path = clips, ranking, path
        places = {key: number for number, key in enumerate(zip(clips.splits, clips.ids, strict=True))}
        self._numbers = [places.get((entry.split, entry.id)) for entry in ranking.entries]
        self._labels = {entry.id: entry.label for entry in ranking.entries}
        self._lock = threading.Lock()
        self._decisions = decisions.read_or_new(path, clips.name, clips.sha256, self._labels.keys())

    def summary(self) -> dict[str, Any]:
        """What the page says of all clips, as JSON."""
        return {
            "data": self.ranking.data,
            "clips": len(self.ranking.entries),
            "labels": self.clips.words,
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
        """The clip at this place of the ranking as a .wav file. Raises DataError when there is none to listen to."""
        import soundfile

        buffer = io.BytesIO()
        soundfile.write(buffer, self._samples(place), self.clips.rate_hz, format="WAV", subtype="PCM_16")
        return buffer.getvalue()

    def decide(self, clip: str, decision: str | None) -> dict[str, Any]:
        """Keep, drop or relabel a clip, or with None forget what was decided; it is on disk when this returns.

        Raises DataError for a clip or a label that there is not.
        """
        if clip not in self._labels:
            raise DataError("a decision should be about a clip of the ranking", got=clip[:200])
        if decision is not None:
            self._require_possible(clip, decision)
        with self._lock:
            changed = self._decisions.with_one(clip, decision)
            decisions.save(changed, self.path)  # what is shown is what is saved, so first the file
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

    def _wanted(self, entry: Entry, reason: str, undecided: bool) -> bool:
        if undecided and entry.id in self._decisions.by_clip:
            return False
        return not reason or any(found.reason == reason for found in entry.reasons)

    def _row(self, place: int) -> dict[str, Any]:
        entry = self.ranking.entries[place]
        decision = self._decisions.by_clip.get(entry.id)
        return {**asdict(entry), "place": place, "decision": decision, "wave": self._wave(place)}

    def _wave(self, place: int) -> list[list[float]] | None:
        """None for what is unreadable, or has become so since it was ranked: the others on its page are shown."""
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
    """[lowest, highest] in +-1 of each of some columns."""
    parts = np.array_split(samples.astype(np.float64) / 32_768, min(_WAVE_COLUMNS, max(len(samples), 1)))
    return [[round(float(part.min(initial=0)), 3), round(float(part.max(initial=0)), 3)] for part in parts]
