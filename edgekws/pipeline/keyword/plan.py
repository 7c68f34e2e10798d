"""What a custom keyword is made of, and its folder."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgekws.errors import ConfigError
from edgekws.files import sha256

MOST_RECORDINGS, LONGEST_PHRASE_S, MOST_LETTERS = 50, 2.0, 80
RATE_HZ = 16_000


@dataclass(frozen=True)
class KeywordPlan:
    """phrase: in English. recordings: clips of it to train on; tests: clips of it that are only for the report.

    backgrounds: folders of sound without the phrase; noises, rooms: folders of noises and of impulse responses.
    engines: names of speech engines, none for all that are installed. start: the network whose weights the training
    starts with. spoken: clips of the phrase to synthesize; scenes: scenes to train on; steps: of the training.
    """

    phrase: str
    recordings: tuple[Path, ...] = ()
    tests: tuple[Path, ...] = ()
    backgrounds: tuple[Path, ...] = ()
    noises: tuple[Path, ...] = ()
    rooms: tuple[Path, ...] = ()
    engines: tuple[str, ...] = ()
    start: str = "dscnn_stream"
    budget_per_hour: float = 0.5
    spoken: int = 360
    scenes: int = 12_000
    steps: int = 2_500
    smoothing_steps: int = 4
    seed: int = 0

    def __post_init__(self) -> None:
        if not any(letter.isalpha() for letter in self.phrase) or len(self.phrase) > MOST_LETTERS:
            hint = "choose two or three syllables or more, such as hey lamp"
            expected = f"PHRASE should be one to four words of at most {MOST_LETTERS} letters together"
            raise ConfigError(expected, got=repr(self.phrase[:MOST_LETTERS]), hint=hint)
        if len(self.recordings) > MOST_RECORDINGS:
            raise ConfigError(
                f"--recordings should hold at most {MOST_RECORDINGS} recordings of the phrase",
                got=str(len(self.recordings)),
                hint="give some of them with --test, or train as with words: edgekws data prepare, edgekws train",
            )
        if not self.budget_per_hour > 0:
            raise ConfigError("--budget should be more than 0 false accepts per hour", got=str(self.budget_per_hour))

    def digest(self) -> str:
        """What tells this plan from another one."""
        return sha256(json.dumps(self.to_json(), sort_keys=True).encode())

    def to_json(self) -> dict[str, Any]:
        return json.loads(json.dumps(asdict(self), default=str))  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Folder:
    """Where the parts of a custom keyword are kept. work/ may be deleted when it is finished."""

    path: Path

    @property
    def work(self) -> Path:
        return self.path / "work"

    @property
    def graph(self) -> Path:
        return self.path / "graph.npz"

    def bank(self, name: str) -> Path:
        """Clips of one kind."""
        return self.work / f"{name}.npz"
