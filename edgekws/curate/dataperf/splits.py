"""Training and evaluation splits of the corpora.

- Multilingual Spoken Words: `<language>_splits.csv` with SET (TRAIN, DEV, TEST), LINK (`bird/common_voice_en_1.opus`)
  and WORD among its columns. Embeddings have the same name with `.wav`.
- Speech Commands: validation_list.txt and testing_list.txt in the recordings' folder; all other clips are for training.
- Any others: by a hash of the speaker, as in a data set prepared from a folder of words.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Collection
from pathlib import Path, PurePosixPath
from typing import TextIO

from edgekws.curate.dataperf.formats.words import composed
from edgekws.data import splits as speaker_splits
from edgekws.data.listing import speaker_of
from edgekws.errors import ArtifactError

SplitOf = Callable[[str], str]
"""From a clip's id to TRAIN, DEV, TEST, or "" for a clip that has no split."""

TRAIN, DEV, TEST = "train", "dev", "test"
_COLUMNS = ("SET", "LINK", "WORD")
_OF_FOLDERS = {"train": TRAIN, "validation": DEV, "test": TEST}
_LISTS = {"validation_list.txt": DEV, "testing_list.txt": TEST}
_NO_LISTS = "give Speech Commands' folder; for other recordings omit --recordings: speakers are split by a hash"


def of_csv(path: Path, words: Collection[str]) -> SplitOf:
    """Splits from a CSV, for these words (NFC) only: a whole language has millions of rows.

    Raises ArtifactError with the line for other columns, sets or links.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            split_by_clip = _rows(path, file, set(words))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise _foreign(path, str(error)) from error
    return lambda clip: split_by_clip.get(composed(clip), "")


def _rows(path: Path, file: TextIO, words: set[str]) -> dict[str, str]:
    rows = csv.DictReader(file)
    missing = [name for name in _COLUMNS if name not in (rows.fieldnames or ())]
    if missing:
        raise _foreign(path, f"no column {missing[0]} in line 1")
    split_by_clip: dict[str, str] = {}
    for row in rows:
        if composed(row["WORD"] or "") not in words:
            continue
        split, link = (row["SET"] or "").lower(), PurePosixPath(row["LINK"] or "")
        if split not in (TRAIN, DEV, TEST) or len(link.parts) != 2:
            raise _foreign(path, f"SET {row['SET']} and LINK {row['LINK']} in line {rows.line_num}")
        split_by_clip[composed(str(link.with_suffix(".wav")))] = split
    return split_by_clip


def of_recordings(recordings: Path) -> SplitOf:
    """Splits from the two lists of Speech Commands. Raises ArtifactError when one is missing."""
    split_by_clip: dict[str, str] = {}
    for name, split in _LISTS.items():
        try:
            lines = (recordings / name).read_text(encoding="utf-8").split()
        except (OSError, UnicodeDecodeError) as error:
            got = getattr(error, "strerror", None) or str(error)
            raise ArtifactError(f"{recordings / name} should list clips", got=got, hint=_NO_LISTS) from error
        split_by_clip.update(dict.fromkeys(lines, split))
    return lambda clip: split_by_clip.get(clip, TRAIN)


def of_speaker(clip: str) -> str:
    """For recordings without official splits; a SplitOf. clip: word/<speaker>_nohash_<n>.wav, or any other name."""
    return _OF_FOLDERS[speaker_splits.split_of(speaker_of(Path(clip)))]


def _foreign(path: Path, got: str) -> ArtifactError:
    expected = f"{path} should be a CSV with SET (TRAIN, DEV, TEST), LINK (word/file) and WORD"
    return ArtifactError(expected, got=got, hint="give <language>_splits.csv of the corpus")
