"""Lists of clip ids: allowed_training_set.yaml, eval.yaml, en_25_train.json, and train.yaml of the first generation.

    {"targets": {word: [id, ...], ...}, "nontargets": [id, ...]}        current
    {"target_ids": [id, ...], "nontarget_ids": [id, ...]}               first generation

The order of words and ids is kept: the challenge's score depends on it. YAML is read as a stream of events that may
only be such lists of plain text, so aliases (bombs), tags and any other structure end at their line.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from edgekws.curate import packages
from edgekws.curate.dataperf.formats import yaml
from edgekws.errors import ArtifactError
from edgekws.files import read_content, write_text
from edgekws.files.fields import is_text

FIRST = ("target_ids", "nontarget_ids")
POOL, EVALUATION = ("train_embeddings", "allowed_training_set.yaml"), ("eval_embeddings", "eval.yaml")
"""The challenge's folder of embeddings and its list: of the pool, and of the evaluation."""
_HINT = "compare it with `edgekws select inspect` of a file that works"


@dataclass(frozen=True)
class IdLists:
    """Ids by target word and of other words, in the order of the file."""

    targets: dict[str, tuple[str, ...]]
    nontargets: tuple[str, ...]

    @property
    def size(self) -> int:
        """Number of clips, repetitions included."""
        return len(self.nontargets) + sum(map(len, self.targets.values()))

    def counts(self) -> Counter[str]:
        """How often each id is listed, over all lists."""
        counts = Counter(self.nontargets)
        for ids in self.targets.values():
            counts.update(ids)
        return counts


@dataclass(frozen=True)
class FirstLists:
    """train.yaml of the first generation."""

    targets: tuple[str, ...]
    nontargets: tuple[str, ...]


def read(path: Path) -> IdLists:
    """JSON or YAML, whichever it is. Raises ArtifactError that names the entry and the rule."""
    value = _mapping(path, _WHAT)
    _only(path, value, ("targets", "nontargets"))
    targets = value["targets"]
    if not isinstance(targets, dict):
        raise _wrong(path, f"targets is {_kind(targets)}, and should map each word to its ids")
    lists = {word: _ids(path, ids, f"targets, {word}") for word, ids in targets.items()}
    for word in lists:
        _check_word(path, word)
    others = _ids(path, value["nontargets"], "nontargets")
    for place, clip in enumerate(others):
        if not first_part(clip):
            raise _wrong(
                path, f"nontargets, entry {place + 1} is {clip}, and should begin with its word (word/file.wav)"
            )
    return IdLists(lists, others)


def read_first(path: Path) -> FirstLists:
    """Raises ArtifactError that names the entry and the rule."""
    value = _mapping(path, "a train.yaml with target_ids and nontarget_ids")
    _only(path, value, FIRST)
    return FirstLists(*(_ids(path, value[key], key) for key in FIRST))


def write_json(path: Path, lists: IdLists, by_name: bool = True) -> None:
    """A selection, with the bytes that the challenge's own tool gives.

    by_name: words are sorted, as there; the order of words moves the score, so a copy keeps the one it has.
    """
    words = sorted(lists.targets) if by_name else lists.targets
    value = {"nontargets": list(lists.nontargets), "targets": {word: list(lists.targets[word]) for word in words}}
    write_text(path, json.dumps(value, indent=4))


def write_yaml(path: Path, lists: IdLists) -> None:
    """allowed_training_set.yaml or eval.yaml, in the order given."""
    value = {"targets": {word: list(ids) for word, ids in lists.targets.items()}, "nontargets": list(lists.nontargets)}
    write_text(path, packages.load("yaml").dump(value, default_flow_style=None, sort_keys=False))


def write_first(path: Path, lists: FirstLists) -> None:
    """train.yaml of the first generation, in the order given."""
    value = {"target_ids": list(lists.targets), "nontarget_ids": list(lists.nontargets)}
    write_text(path, packages.load("yaml").safe_dump(value))


def kind(path: Path) -> str:
    """ "lists" or "first" by what the file holds."""
    return "first" if "target_ids" in _mapping(path, _WHAT) else "lists"


def where_from(path: Path) -> str:
    """A hint for a file that cannot be read, by its name."""
    if path.name in (POOL[1], EVALUATION[1]):
        return "edgekws select make-experiment makes it from embeddings; name the folder that it wrote with --data"
    if "train" in path.name:
        return "check the path; edgekws select run writes a selection, and --train-file names it"
    return "check the path"


_WHAT = "lists of clip ids ({targets: {word: [ids]}, nontargets: [ids]})"


def _mapping(path: Path, what: str) -> dict[str, Any]:
    text = _text(path, what)
    value = _json(path, text) if text.lstrip()[:1] == "{" else None
    if value is None:
        value = yaml.read(text, path)
    if not isinstance(value, dict):
        raise _wrong(path, f"{_kind(value)} at the top")
    return value


def _text(path: Path, what: str) -> str:
    try:
        return read_content(path, what, where_from(path)).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _wrong(path, f"bytes that are not UTF-8, at byte {error.start}") from error


def _json(path: Path, text: str) -> object:
    """None when it is not JSON: YAML may begin with a brace, too."""
    try:
        return json.loads(text, object_pairs_hook=lambda pairs: _once(path, pairs))
    except RecursionError as error:
        raise _wrong(path, "brackets nested by the hundreds") from error
    except ValueError as error:
        if path.suffix == ".json":
            raise _wrong(path, f"unreadable JSON ({error})") from error
        return None


def _once(path: Path, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        twice = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise _wrong(path, f"the key {twice} twice; only one of the two would count")
    return value


def _only(path: Path, value: dict[str, Any], keys: tuple[str, str]) -> None:
    missing = [key for key in keys if key not in value]
    foreign = sorted(set(value) - set(keys))
    if missing or foreign:
        problem = f"no {' and no '.join(missing)}" if missing else f"the unknown key {foreign[0]}"
        raise _wrong(path, f"{problem}; exactly {' and '.join(keys)} should be there")


def _ids(path: Path, value: object, where: str) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise _wrong(path, f"{where} is {_kind(value)}, and should be a list of ids")
    for place, clip in enumerate(value):
        if not isinstance(clip, str) or not clip or "\0" in clip or not is_text(clip):
            shown = ascii(clip)[:60] if clip and isinstance(clip, str) else _kind(clip)
            raise _wrong(path, f"{where}, entry {place + 1} is {shown}, and should be an id")
    return tuple(value)


def first_part(clip: str) -> str:
    """What stands before the first slash of an id; "" when that cannot be the name of a file."""
    parts = PurePosixPath(clip).parts if clip[:1] in ("/", ".") else (clip.partition("/")[0],)
    return "" if not parts or parts[0] in ("/", "//", "..") else parts[0]


def is_word(word: str) -> bool:
    """A word names a file: it must not lead out of its folder."""
    return bool(word) and is_text(word) and not any(sign in word for sign in "/\\\0") and word not in (".", "..")


def _check_word(path: Path, word: str) -> None:
    if not is_word(word):
        raise _wrong(path, f"the target {word!r}, and a word that can be the name of a file should be there")


def _kind(value: object) -> str:
    if value == "" or value is None:
        return "empty"
    if isinstance(value, dict | list | str):
        return {"dict": "a mapping", "list": "a list", "str": "text"}[type(value).__name__]
    return str(value)[:60]


def _wrong(path: Path, got: str) -> ArtifactError:
    return ArtifactError(f"{path} should be {_WHAT}", got=got, hint=_HINT)
