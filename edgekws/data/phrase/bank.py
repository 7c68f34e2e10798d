"""Many short clips in one file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgekws.errors import ArtifactError
from edgekws.files import npz_arrays, npz_bytes, read_content, write_bytes

_HINT = "delete it, and the same command makes it again"


@dataclass(frozen=True)
class Bank:
    """clips: int16 [n_i] each, at one rate. names: one each, such as "flite/rms/17"."""

    clips: tuple[np.ndarray, ...]
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.clips)

    def __add__(self, other: Bank) -> Bank:
        return Bank(self.clips + other.clips, self.names + other.names)

    def __iter__(self) -> Iterator[tuple[np.ndarray, str]]:
        return zip(self.clips, self.names, strict=True)

    @property
    def samples(self) -> int:
        """Of all clips."""
        return sum(map(len, self.clips))

    def chosen(self, numbers: Sequence[int]) -> Bank:
        """The clips of these numbers, in their order."""
        return Bank(tuple(self.clips[at] for at in numbers), tuple(self.names[at] for at in numbers))

    def save(self, path: Path) -> None:
        """Write an .npz file. Raises ArtifactError when it cannot be written."""
        lengths = np.array([len(clip) for clip in self.clips], np.int64)
        samples = np.concatenate([np.zeros(0, np.int16), *self.clips])
        names = np.frombuffer(json.dumps(self.names).encode(), np.uint8)
        write_bytes(path, npz_bytes({"samples": samples, "lengths": lengths, "names": names}))


EMPTY = Bank((), ())


def load(path: Path) -> Bank:
    """What `save` wrote. Raises ArtifactError for a damaged or foreign file."""
    arrays = npz_arrays(read_content(path, "a file of clips", _HINT), f"{path}: a file of clips", _HINT)
    try:
        names = tuple(json.loads(arrays["names"].tobytes()))
        edges = np.cumsum(arrays["lengths"])[:-1]
        clips = tuple(np.split(arrays["samples"], edges)) if names else ()
        return Bank(clips, names)
    except (KeyError, ValueError) as error:
        raise ArtifactError(f"{path} should be a file of clips", got=str(error), hint=_HINT) from error
