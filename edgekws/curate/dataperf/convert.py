"""Conversion between the formats of selections and pools. Input formats are detected by content.

```
selections   npz      first generation   train.npz: vectors and classes
             ids      first generation   train.yaml {target_ids, nontarget_ids}
             json     current            en_25_train.json
             yaml     current            train.yaml {targets, nontargets}
pools        pb       first generation   samples.pb, eval.pb
             parquet  current            a folder: word.parquet files, and allowed_training_set.yaml or eval.yaml
```
Vectors are copied bit for bit; ids keep their order. The first generation has one class of targets, so only lists with
one target word can be converted to it. Its ids are paths (`en/clips/bird/1.wav`); current ids are their last two parts
(`bird/1.wav`), and samples.pb supplies the long ones.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from edgekws.curate.dataperf.formats import lists, npz, pb, words
from edgekws.curate.dataperf.formats.lists import EVALUATION, POOL, FirstLists, IdLists
from edgekws.curate.dataperf.scorer import first_generation, loader
from edgekws.errors import ConfigError, DataError
from edgekws.files import new_folder

Form = Literal["npz", "ids", "json", "yaml", "pb", "parquet"]
_BY_SUFFIX: dict[str, Form] = {".npz": "npz", ".json": "json", ".pb": "pb", "": "parquet"}


@dataclass(frozen=True)
class Request:
    """form: "" to use the suffix of `out`. samples: the pool of a first-generation selection. embeddings: folder of
    word.parquet files of a list that becomes a pool. evaluation: a pool that becomes a folder is to evaluate."""

    source: Path
    out: Path
    form: str = ""
    samples: Path | None = None
    embeddings: Path | None = None
    evaluation: bool = False


@dataclass(frozen=True)
class Conversion:
    """summary: the number of clips by class; notes: warnings."""

    summary: str
    notes: tuple[str, ...] = ()


def convert(request: Request) -> Conversion:
    """Convert a file. Raises ConfigError for an impossible conversion, with the reason, DataError for content that does
    not fit the format, ArtifactError for a damaged or foreign file. Nothing is written unless all is valid."""
    kind = kind_of(request.source)
    form = _form(request, kind)
    if request.out.resolve() in [path.resolve() for path in (request.source, request.samples) if path]:
        raise ConfigError("the result should not replace its source", got=str(request.out), hint="give another name")
    if kind == "pb":
        return _folder_of_samples(request, form)
    if form in ("pb", "parquet"):
        return _samples_of_folder(request, kind, form)
    if form in ("json", "yaml"):
        return _write_current(request, kind, form)
    return _write_first(request, kind, form)


def kind_of(path: Path) -> Literal["npz", "ids", "lists", "pb"]:
    """What the file holds; "lists" may be a selection or the list of a pool. Raises ConfigError for a folder."""
    if path.is_dir():
        hint = "give allowed_training_set.yaml or eval.yaml, and the folder with --embeddings"
        raise ConfigError(f"{path} should be a file", got="a folder", hint=hint)
    if npz.is_archive(path):
        return "npz"
    if pb.is_samples(path):
        return "pb"
    return "ids" if lists.kind(path) == "first" else "lists"


def _form(request: Request, kind: str) -> Form:
    """By option, or by the name of the result; a .yaml of a train.npz has its ids, any other is current."""
    named = request.form or _BY_SUFFIX.get(request.out.suffix.lower(), "")
    if not named and request.out.suffix.lower() in (".yaml", ".yml"):
        named = "ids" if kind == "npz" else "yaml"
    for form in get_args(Form):
        if form == named:
            if form == kind:
                raise ConfigError(f"{request.source} should be of another form than --to", got=f"{form} already")
            return form  # type: ignore[no-any-return]
    hint = "give --to, or a name that ends with .npz, .json, .yaml, .pb, or with none for a folder"
    raise ConfigError(f"--to should be one of {', '.join(get_args(Form))}", got=named or request.out.name, hint=hint)


def _write_first(request: Request, kind: str, form: Form) -> Conversion:
    """train.npz or train.yaml, of a selection in any form."""
    chosen, notes = _first(request, kind)
    if form == "ids":
        lists.write_first(request.out, chosen)
    else:
        pool = _pool(request, "its vectors")
        npz.write(request.out, first_generation.training(chosen, pool, _pool_and_source(request)))
    return Conversion(_counted(chosen), notes)


def _write_current(request: Request, kind: str, form: Form) -> Conversion:
    notes: tuple[str, ...] = ()
    if kind == "lists":
        result = lists.read(request.source)
    else:
        chosen, notes = _first(request, kind)
        result = to_current(chosen)
    if form == "json":
        lists.write_json(request.out, result, by_name=False)
    else:
        lists.write_yaml(request.out, result)
    return Conversion(", ".join(_counts(result)), notes)


def _first(request: Request, kind: str) -> tuple[FirstLists, tuple[str, ...]]:
    if kind == "ids":
        chosen = lists.read_first(request.source)
        _require_unique((*chosen.targets, *chosen.nontargets), request.source)
        return chosen, ()
    pool = _pool(request, "the ids of its clips")
    if kind == "lists":
        chosen = _long_ids(request, lists.read(request.source), pool)
        first_generation.rows(chosen, pool, _pool_and_source(request))  # checks classes and ids
        return chosen, ()
    result = first_generation.name(npz.read(request.source), pool, _pool_and_source(request))
    note = f"{result.ambiguous} rows have the vector of several clips; the first is named, and trains alike"
    return result.lists, (note,) * bool(result.ambiguous)


def _pool_and_source(request: Request) -> str:
    return f"{request.samples}, the pool of {request.source},"


def _pool(request: Request, what: str) -> pb.Samples:
    if request.samples is None:
        hint = "give --input-samples, the samples.pb that it chooses from"
        raise ConfigError(f"{request.source} does not hold {what}", hint=hint)
    return pb.read(request.samples)


def to_current(chosen: FirstLists) -> IdLists:
    """Lists by word, with ids of the form word/file.wav. Raises DataError unless all targets are of one word."""
    short = _short_ids((*chosen.targets, *chosen.nontargets))
    target = _one_target({_word(clip) for clip in chosen.targets})
    return IdLists(
        {target: tuple(short[clip] for clip in chosen.targets)}, tuple(short[clip] for clip in chosen.nontargets)
    )


def _long_ids(request: Request, result: IdLists, pool: pb.Samples) -> FirstLists:
    target = _one_target(set(result.targets))
    longer = {clip: clip for clip in pool.ids}
    for clip, short in _short_ids(pool.ids).items():
        longer.setdefault(short, clip)
    parts = []
    for ids in (result.targets[target], result.nontargets):
        missing = [clip for clip in ids if clip not in longer]
        if missing:
            raise DataError(f"{request.samples} should have each clip of {request.source}", got=f"no {missing[0]}")
        parts.append(tuple(longer[clip] for clip in ids))
    return FirstLists(*parts)


def _short_ids(ids: Iterable[str]) -> dict[str, str]:
    """word/file.wav of each id. Raises DataError where two would be the same, or one has no word."""
    result: dict[str, str] = {}
    homes: dict[str, str] = {}
    for clip in ids:
        short = f"{_word(clip)}/{clip.rpartition('/')[2]}"
        if homes.setdefault(short, clip) != clip:
            raise DataError("ids should differ in their last two parts", got=f"{homes[short]} and {clip}")
        result[clip] = short
    return result


def _word(clip: str) -> str:
    parts = clip.split("/")
    if len(parts) < 2 or not lists.is_word(parts[-2]) or not parts[-1]:
        raise DataError("an id should end with its word and its file (.../bird/1.wav)", got=clip)
    return parts[-2]


def _one_target(result: set[str]) -> str:
    if len(result) != 1:
        some = ", ".join(sorted(result)[:5]) or "none"
        raise DataError(
            "the first generation has one class of targets, today's one for each word: "
            "only one target word is the same task in both",
            got=f"{len(result)} target words ({some})",
            hint="convert the selection of one target word",
        )
    return next(iter(result))


def _folder_of_samples(request: Request, form: Form) -> Conversion:
    """samples.pb or eval.pb as a folder of word.parquet files with their list."""
    if form != "parquet":
        hint = "choose with `edgekws select run --input-samples`, or give a folder (--to parquet)"
        raise ConfigError(f"{request.source} is a pool of clips, not a selection", got=f"--to {form}", hint=hint)
    pool = pb.read(request.source)
    _require_unique(pool.ids, request.source)
    short = _short_ids(pool.ids)
    by_kind = (np.flatnonzero(pool.types == kind) for kind in (pb.TARGET, pb.NONTARGET))
    listed = to_current(FirstLists(*(tuple(pool.ids[row] for row in rows) for rows in by_kind)))
    places: dict[str, list[int]] = {}
    for row, clip in enumerate(pool.ids):
        places.setdefault(_word(clip), []).append(row)
    folder, name = EVALUATION if request.evaluation else POOL
    with new_folder(request.out) as partial:
        for word, rows in places.items():
            path = partial / folder / f"{word}.parquet"
            words.write(path, [short[pool.ids[row]] for row in rows], pool.vectors[rows])
        lists.write_yaml(partial / name, listed)
    return Conversion(", ".join([*_counts(listed), f"{len(places)} files in {folder}, {name}"]))


def _samples_of_folder(request: Request, kind: str, form: Form) -> Conversion:
    """A list and its folder of embeddings as samples.pb or eval.pb."""
    if form == "parquet" or kind != "lists":
        hint = "from samples.pb or eval.pb --to parquet; from allowed_training_set.yaml or eval.yaml --to pb"
        got = f"--to {form} of {'a selection' if kind != 'lists' else 'lists'}"
        raise ConfigError(f"{request.source} is not a pool that has this form", got=got, hint=hint)
    if request.embeddings is None:
        hint = "give --embeddings, the folder of its word.parquet files"
        raise ConfigError(f"{request.source} does not hold vectors", hint=hint)
    listed, notes = lists.read(request.source), dict[str, None]()
    target = _one_target(set(listed.targets))
    _require_unique(listed.counts().elements(), request.source)
    blocks = list(loader.load(listed, request.embeddings, lambda note: notes.update({note: None})))
    if not blocks:
        raise DataError(f"{request.source} should list clips", got="none")
    ids = tuple(clip for block in blocks for clip in block.ids)
    target_ids = set(listed.targets[target])
    types = np.array([pb.TARGET if clip in target_ids else pb.NONTARGET for clip in ids], np.int8)
    pb.write(request.out, pb.Samples(ids, types, np.concatenate([_single(block) for block in blocks])))
    targets = int((types == pb.TARGET).sum())
    return Conversion(f"{target} {targets}, other words {len(ids) - targets}", tuple(notes))


def _single(block: loader.Block) -> np.ndarray:
    """As float32, the type of the file. Raises DataError for a number that float32 cannot represent."""
    with np.errstate(over="ignore"):
        narrow = block.vectors.astype(np.float32)
    lost = np.flatnonzero((narrow.astype(block.vectors.dtype) != block.vectors).any(axis=1))
    if len(lost):
        raise DataError(
            "samples.pb holds float32, and vectors should lose nothing in it",
            got=f"{block.vectors.dtype} numbers of {block.ids[lost[0]]} that float32 does not hold",
            hint="embed in float32",
        )
    return narrow


def _require_unique(ids: Iterable[str], where: Path) -> None:
    repeated = [clip for clip, count in Counter(ids).items() if count > 1]
    if repeated:
        raise DataError(f"{where} should list each clip once", got=f"{len(repeated)} more than once, as {repeated[0]}")


def _counted(chosen: FirstLists) -> str:
    return f"targets {len(chosen.targets)}, other words {len(chosen.nontargets)}"


def _counts(result: IdLists) -> list[str]:
    return [*(f"{word} {len(ids)}" for word, ids in result.targets.items()), f"other words {len(result.nontargets)}"]
