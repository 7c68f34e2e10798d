"""The output folder of a run, which the next run continues.

OUT/<word>.parquet             see parts.py
OUT/index.json                 written last: a folder without it is not finished
OUT/.work/words.jsonl          the key of the run, then a line for each finished word
OUT/.work/<stamp>.parquet      finished shards of words that are not
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekws.curate.embed import parts as _parts
from edgekws.curate.embed.audio import Skipped
from edgekws.curate.embed.parts import KIND, VERSION
from edgekws.errors import ArtifactError, ConfigError
from edgekws.files import fields, read_json, sha256_file, write_json, write_text, writing
from edgekws.files.locks import exclusive

INDEX, WORK, _JOURNAL, _LOCK = "index.json", ".work", "words.jsonl", "lock"


_RECORD = {
    **dict.fromkeys(("word", "file", "sha256", "stamp"), fields.TEXT),
    "clips": fields.INTEGER,
    "skipped": fields.list_of(fields.list_of(fields.TEXT, 2)),
}
_MODEL = {
    **dict.fromkeys(("name", "version", "module_sha256", "weights_sha256"), fields.TEXT),
    "options": fields.OBJECT,
    **dict.fromkeys(("sample_rate", "dimensions"), fields.COUNT),
}
_INDEX = {
    "kind": fields.TEXT,
    "version": fields.INTEGER,
    **dict.fromkeys(("key", "source"), fields.TEXT),
    **dict.fromkeys(("counts", "model", "settings", "versions", "words"), fields.OBJECT),
}


@dataclass(frozen=True)
class WordRecord:
    """file: "" when no clip of the word has an embedding. stamp: of the recordings."""

    word: str
    file: str
    sha256: str
    clips: int
    stamp: str
    skipped: tuple[Skipped, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {**self.__dict__, "skipped": [[each.id, each.reason] for each in self.skipped]}

    @classmethod
    def from_json(cls, value: Any) -> WordRecord:  # noqa: ANN401
        """Raises ArtifactError for other fields, and for a file that is not the word's own."""
        fields.require("a word of embeddings", value, _RECORD)
        word, file = value["word"], value["file"]
        if Path(word).name != word or file not in ("", file_of(word)):
            raise ArtifactError("a word should have a file of its own", got=f"{word!a} with {file!a}")
        return cls(**{**value, "skipped": tuple(Skipped(clip, reason) for clip, reason in value["skipped"])})


def file_of(word: str) -> str:
    """The file name of a word in the folder of embeddings."""
    return f"{word}.parquet"


@dataclass(frozen=True)
class Index:
    """The content of index.json. about: model, source, settings, versions; key: a hash of what results depend on."""

    folder: Path
    key: str
    about: dict[str, Any]
    words: dict[str, WordRecord]

    @property
    def clips(self) -> int:
        """Number of clips with an embedding."""
        return sum(word.clips for word in self.words.values())

    @property
    def skipped(self) -> list[Skipped]:
        return [each for word in self.words.values() for each in word.skipped]

    def to_json(self) -> dict[str, Any]:
        counts = {"words": len(self.words), "clips": self.clips, "skipped": len(self.skipped)}
        rows = {word: record.to_json() for word, record in sorted(self.words.items())}
        return {"kind": KIND, "version": VERSION, "key": self.key, "counts": counts, **self.about, "words": rows}


def read_index(folder: Path) -> Index:
    """The index of a folder. Raises ArtifactError when there is none, or a foreign one."""
    path = folder / INDEX
    value = read_json(path, KIND, VERSION)
    fields.require(str(path), value, _INDEX)
    fields.require(f"{path}: model", value["model"], _MODEL)
    words = {word: WordRecord.from_json(row) for word, row in value["words"].items()}
    if any(word != record.word for word, record in words.items()):
        raise ArtifactError(f"{path} should list words under their names", got="another name")
    about = {name: value[name] for name in ("model", "source", "settings", "versions")}
    return Index(folder, value["key"], about, words)


class Store:
    """A run's folder. done: words that need no more work."""

    def __init__(self, folder: Path, key: str) -> None:
        """Raises ConfigError when the folder holds finished embeddings of another model or other settings."""
        self.folder, self.key = folder, key
        self._held = ExitStack()
        self.work = folder / WORK
        self.finished = read_index(folder) if (folder / INDEX).exists() else None
        if self.finished and self.finished.key != key:
            model = self.finished.about["model"]["name"]
            got = f"embeddings by {model} with other code, weights, options, settings or library versions"
            hint = "give another folder with --out, or remove this one"
            raise ConfigError(f"{folder} should be empty or hold embeddings of this model", got=got, hint=hint)
        self.done, self._foreign = (dict(self.finished.words), {}) if self.finished else self._journal()

    def is_done(self, word: str, stamp: str) -> bool:
        """Whether its file is there, whole, and of these very recordings."""
        record = self.done.get(word)
        if record is None or record.stamp != stamp:
            return False
        path = self.folder / record.file
        return not record.file or (path.is_file() and sha256_file(path) == record.sha256)

    def begin(self, kept: AbstractSet[str]) -> None:
        """Open for work: from here on there is no index until `finish`. kept: words to keep; others are removed."""
        self._held.enter_context(exclusive(self.folder, self.work / _LOCK))
        removed = [record for word, record in self.done.items() if word not in kept]
        removed += [record for word, record in self._foreign.items() if word not in kept]
        if self._foreign:
            self._remove_parts()
        self.done = {word: record for word, record in self.done.items() if word in kept}
        lines = [{"key": self.key}, *(record.to_json() for record in self.done.values())]
        write_text(self.work / _JOURNAL, "".join(json.dumps(line) + "\n" for line in lines))
        (self.folder / INDEX).unlink(missing_ok=True)
        self.finished = None
        for record in removed:
            if record.file:
                (self.folder / record.file).unlink(missing_ok=True)

    def add(self, word: str, stamp: str, parts: Sequence[Path], skipped: Sequence[Skipped]) -> WordRecord:
        """Merge the parts of a word and record that it is done."""
        path = self.folder / file_of(word)
        clips, bad = _parts.merge(path, parts)
        everything = tuple(sorted([*skipped, *bad], key=lambda each: each.id))
        record = WordRecord(
            word, path.name if clips else "", sha256_file(path) if clips else "", clips, stamp, everything
        )
        with writing(self.work / _JOURNAL), (self.work / _JOURNAL).open("a") as journal:
            journal.write(json.dumps(record.to_json()) + "\n")
            journal.flush()
            os.fsync(journal.fileno())
        self.done[word] = record
        for part in parts:
            part.unlink(missing_ok=True)
        return record

    def finish(self, about: dict[str, Any]) -> Index:
        """Write the index and remove the files of an unfinished run."""
        index = Index(self.folder, self.key, about, dict(sorted(self.done.items())))
        write_json(self.folder / INDEX, index.to_json())
        shutil.rmtree(self.work, ignore_errors=True)
        return index

    def close(self) -> None:
        """Release the lock of the folder."""
        self._held.close()

    def _journal(self) -> tuple[dict[str, WordRecord], dict[str, WordRecord]]:
        """Words that an unfinished run has done: (with this run's key, with another key)."""
        path = self.work / _JOURNAL
        if not path.exists():
            return {}, {}
        lines = path.read_text(errors="replace").splitlines()
        try:
            ours = json.loads(lines[0])["key"] == self.key
        except (ValueError, LookupError, TypeError):
            ours = False
        return (_records(lines[1:]), {}) if ours else ({}, _records(lines[1:]))

    def _remove_parts(self) -> None:
        for path in self.work.glob("*.parquet"):
            path.unlink()


def _records(lines: Sequence[str]) -> dict[str, WordRecord]:
    """The records of the journal up to an incomplete line of a killed run."""
    records: dict[str, WordRecord] = {}
    for line in lines:
        try:
            record = WordRecord.from_json(json.loads(line))
        except (ValueError, ArtifactError):
            break
        records[record.word] = record
    return records
