"""Synthetic challenges in the file formats of the real one.

Imports NumPy, pyarrow and PyYAML only, nothing of edgekws: golden/make.py runs it with old releases of scikit-learn.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

SEEDS = (5, 69, 98, 70, 95, 64, 37, 11, 4, 32)


@dataclass(frozen=True)
class Case:
    """seed: of the data. chosen, chosen_others: selected clips per target and of other words. odd: special traits."""

    seed: int
    targets: tuple[str, ...] = ("bird", "cat", "dog", "house", "tree")
    others: int = 12
    chosen: int = 3
    chosen_others: int = 10
    eval_each: int = 30
    eval_others: int = 200
    dimensions: int = 32
    kind: str = "float32"
    noise: float = 1.0
    wrong: float = 0.1
    odd: tuple[str, ...] = ()
    seeds: tuple[int, ...] = SEEDS
    language: str = "en"
    size: int = 25
    chosen_by_word: tuple[int, ...] = field(default=())


CASES = {
    "plain25": Case(1),
    "plain60": Case(2, chosen=6, chosen_others=30, size=60),
    "wide": Case(3, dimensions=1024, eval_others=120),
    "wide60": Case(4, dimensions=1024, chosen=6, chosen_others=30, size=60, noise=2.0),
    "narrow": Case(5, dimensions=4),
    "one-number": Case(6, dimensions=1),
    "float64": Case(7, kind="float64"),
    "float64-wide": Case(8, kind="float64", dimensions=300, chosen=5, chosen_others=35, size=60),
    "mixed-types": Case(9, odd=("mixed",)),
    "large-numbers": Case(10, odd=("scaled",)),
    "accents": Case(11, targets=("ação", "coração", "été", "niño", "über"), language="pt"),
    "non-latin": Case(12, targets=("дом", "کتاب", "수박", "猫", "ναι"), language="id", noise=2.0),
    "two-classes": Case(13, targets=("yes",), chosen=10, chosen_others=15),
    "two-targets": Case(14, targets=("no", "yes"), chosen=6, chosen_others=12),
    "nine-targets": Case(15, targets=tuple("abcdefghi"), chosen=4, chosen_others=24, size=60),
    "one-each": Case(16, chosen=1, chosen_others=1),
    "one-nontarget": Case(17, chosen=4, chosen_others=1),
    "unequal": Case(18, chosen_by_word=(1, 2, 9, 3, 1), chosen_others=7),
    "easy": Case(19, noise=0.2, wrong=0.0),
    "hopeless": Case(20, noise=8.0, wrong=0.5),
    "repeated-vectors": Case(21, odd=("repeated",)),
    "coarse": Case(22, dimensions=5, odd=("coarse",)),
    "reverse-ids": Case(23, odd=("reverse",)),
    "keys-unsorted": Case(24, targets=("tree", "bird", "zoo", "apple"), odd=("unsorted",)),
    "not-allowed-rows": Case(25, odd=("strangers",)),
    "twice-in-selection": Case(26, chosen_others=6, odd=("twice",)),
    "target-missing": Case(27, odd=("missing",)),
    "target-empty": Case(28, odd=("empty",)),
    "word-named-nontarget": Case(29, targets=("bird", "nontarget", "tree")),
    "large": Case(30, chosen=30, chosen_others=150, size=300, dimensions=64),
    "other-seeds": Case(31, seeds=(0, 1, 2**31 - 1, 2**32 - 1)),
    "twice-in-eval": Case(32, odd=("twice-eval",)),
    "capitals": Case(33, targets=("Zebra", "ape", "Éclair", "eclair", "_x"), noise=1.5),
    "yaml-words": Case(34, targets=("no", "on", "1", "null", "2e3", "~"), size=60),
    "signs-in-words": Case(35, targets=("New York", "l'eau", "don't", "a:b", "#x")),
    "letters-apart": Case(36, targets=("a\u0301gua", "u\u0308ber", "kaf\u00e9"), language="pt", noise=1.5),
    "twelve-targets": Case(37, targets=tuple("abcdefghijkl"), chosen=2, chosen_others=20, size=60),
    "float16": Case(38, kind="float16"),
    "stored-otherwise": Case(39, odd=("stored",)),
    "constant": Case(40, odd=("constant",)),
    "rows-twice": Case(41, odd=("rows-twice",)),
    "one-clip-two-classes": Case(42, targets=("yes",), chosen=1, chosen_others=2),
}


class Maker:
    def __init__(self, case):
        self.case, self.rng = case, np.random.RandomState(case.seed)
        self.words = [*case.targets, *(f"other{i}" for i in range(case.others))]
        self.centres = self.rng.normal(0, 1, (len(self.words), case.dimensions))

    def vectors(self, word, count):
        """Clips of a word; a share of them, `wrong`, has the vectors of other words."""
        case, rng = self.case, self.rng
        spoken = np.where(rng.random_sample(count) < case.wrong, rng.randint(0, len(self.words), count), word)
        x = self.centres[spoken] + case.noise * rng.normal(0, 1, (count, case.dimensions))
        x = np.where(x > 0, 1.05 * x, 1.75 * np.expm1(np.minimum(x, 0)))
        x = np.round(x * 2**20) / 2**20  # numpy's releases differ in the last bit of expm1
        x = x * (16 if "scaled" in case.odd else 1)
        if "coarse" in case.odd:
            x = np.sign(x)  # clips that are equal to clips of other words
        if "repeated" in case.odd and count > 2:
            x[1::2] = x[: len(x[1::2])]
        if "constant" in case.odd:
            x[:] = 0.5
        return x.astype("float64" if "mixed" in case.odd and word % 2 else case.kind)


def write(case, folder):
    """Write the whole challenge below `folder`: data, selection and configuration."""
    folder, maker = Path(folder), Maker(case)
    train, evaluated = {}, {}
    for place, word in enumerate(maker.words):
        target = place < len(case.targets)
        train[word] = write_word(maker, folder / "train_embeddings", place, 14 if target else 9, case)
        count = case.eval_each if target else -(-case.eval_others // case.others)
        evaluated[word] = write_word(maker, folder / "eval_embeddings", place, count + 3, case)[:count]
    if case.chosen > 10 or case.chosen_others > 80:
        train = {
            word: write_word(maker, folder / "train_embeddings", place, 2 * case.chosen, case)
            for place, word in enumerate(maker.words)
        }
    others = maker.words[len(case.targets) :]
    allowed = {"targets": {w: train[w] for w in case.targets}, "nontargets": flat(train, others)}
    selection = choose(case, maker, train, others)
    evaluation = {"targets": {w: evaluated[w] for w in case.targets}, "nontargets": flat(evaluated, others)}
    if "strangers" in case.odd:
        for lists in (allowed, evaluation):
            lists["nontargets"] = lists["nontargets"][::2] + selection["nontargets"] * (lists is allowed)
    if "twice-eval" in case.odd:
        evaluation["nontargets"] = evaluation["nontargets"] + evaluation["nontargets"][:50]
        evaluation["targets"]["cat"] = evaluation["targets"]["cat"] + evaluation["targets"]["cat"][:9]
    same = {"default_flow_style": None, "sort_keys": False}
    (folder / "allowed_training_set.yaml").write_text(yaml.dump(allowed, **same), encoding="utf-8")
    text = yaml.dump(evaluation, allow_unicode="accents" in str(case.targets) or case.seed % 2 == 0, **same)
    (folder / "eval.yaml").write_text(text, encoding="utf-8")
    order = "unsorted" not in case.odd
    name = f"{case.language}_{case.size}_train.json"
    (folder / name).write_text(json.dumps(selection, sort_keys=order, indent=4), encoding="utf-8")
    (folder / "config.yaml").write_text(f"eval_random_seeds: {list(case.seeds)}\nrandom_seed: {case.seeds[0]}\n")
    return folder / name


def write_word(maker, folder, place, count, case):
    word = maker.words[place]
    ids = [f"{word}/common_voice_{case.language}_{n}.wav" for n in maker.rng.permutation(10 * count)[:count]]
    folder.mkdir(parents=True, exist_ok=True)
    vectors = list(maker.vectors(place, count))
    stored, vectors = (ids, vectors) if "rows-twice" not in case.odd else (ids + ids[:4], vectors + vectors[-4:])
    table = pa.table({"clip_id": stored, "mswc_embedding_vector": vectors})
    save(table, folder / f"{word}.parquet", place if "stored" in case.odd else None)
    return [ids[n] for n in maker.rng.permutation(count)] if "reverse" not in case.odd else ids[::-1]


def save(table, path, how):
    """how: a number that selects column types, codec and row group size; None: pyarrow's defaults."""
    if how is None:
        pq.write_table(table, path)
        return
    size = len(table["mswc_embedding_vector"][0])
    lists = (pa.large_list(pa.float32()), pa.list_(pa.float32(), size), pa.list_(pa.float32()))[how % 3]
    texts = (pa.dictionary(pa.int32(), pa.string()), pa.large_string())[how % 2]
    schema = pa.schema({"clip_id": texts, "mswc_embedding_vector": lists})
    table = table.cast(schema).append_column("speaker", pa.array(range(len(table))))
    codec = ("zstd", "snappy", "gzip", "none")[how % 4]
    pq.write_table(table, path, compression=codec, row_group_size=1 + how % 3)


def flat(lists, words):
    return [clip for word in words for clip in lists[word]]


def choose(case, maker, train, others):
    sizes = case.chosen_by_word or (case.chosen,) * len(case.targets)
    targets = {word: train[word][:size] for word, size in zip(case.targets, sizes)}  # noqa: B905
    pool = flat(train, others)
    nontargets = [pool[n] for n in maker.rng.permutation(len(pool))[: case.chosen_others]]
    first = case.targets[0]
    if "twice" in case.odd:
        targets[first] = targets[first] + targets[first][:1]
        nontargets = nontargets + nontargets[:3]
    if "missing" in case.odd:
        del targets[first]
    if "empty" in case.odd:
        targets[first] = []
    return {"targets": targets, "nontargets": nontargets}


FIRST = {"first-balanced": (40, 10, 10), "first-unequal": (41, 3, 30), "first-wide": (42, 8, 8)}


def first(name):
    """First generation: (train_x float64, train_y, types of evaluation clips, their float32 vectors)."""
    seed, targets, others = FIRST[name]
    rng = np.random.RandomState(seed)
    centre = rng.normal(0, 0.7, 1024 if name == "first-wide" else 24)

    def draw(count, label):
        return (centre * label + rng.normal(0, 1, (count, len(centre)))).astype(np.float32)

    train_x = np.vstack([draw(targets, 1), draw(others, 0)]).astype(np.float64)
    evaluated = np.vstack([draw(60, 1), draw(140, 0)])
    order = rng.permutation(200)
    return train_x, np.repeat([1, 0], [targets, others]), np.repeat([0, 1], [60, 140])[order], evaluated[order]
