"""`edgekws select make-experiment`: pool and evaluation, from embeddings and a corpus's splits."""

import json
import unicodedata

import numpy as np
import pytest

from edgekws.curate.dataperf.formats import lists, words
from tests.curate.dataperf.test_select_cli import run

NAMES = ("yes", "não", *(f"other{n}" for n in range(8)))
EACH = 20


@pytest.fixture
def corpus(tmp_path, monkeypatch):
    """embeddings/, the two lists of Speech Commands and xx_splits.csv: of 20 clips a word 12 train, 5 dev, 3 test."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    result = {"train": [], "dev": [], "test": []}
    for word in NAMES:
        ids = [f"{word}/common_voice_xx_{n}.wav" for n in rng.permutation(1000)[:EACH]]
        words.write(tmp_path / "embeddings" / f"{word}.parquet", ids, rng.normal(size=(EACH, 4)))
        for clip, split in zip(ids, rng.permutation(["train"] * 12 + ["dev"] * 5 + ["test"] * 3), strict=True):
            result[split].append(clip)
    (tmp_path / "validation_list.txt").write_text("\n".join(result["dev"]) + "\n", encoding="utf-8")
    (tmp_path / "testing_list.txt").write_text("\n".join(result["test"]) + "\n", encoding="utf-8")
    rows = [f"{s.upper()},{c[:-4]}.opus,{c.split('/')[0]},True,abc,NA" for s, ids in result.items() for c in ids]
    text = "\n".join(["SET,LINK,WORD,VALID,SPEAKER,GENDER", *rows, "TRAIN,aachen/x.opus,aachen,True,a,NA"]) + "\n"
    (tmp_path / "xx_splits.csv").write_text(text, encoding="utf-8")
    return result


BY_CSV, BY_LISTS = ("--splits", "xx_splits.csv"), ("--recordings", ".")
TARGETS = ("--target", "yes", "--target", "não")
SMALL = ("--words", "6", "--known", "4", "--train-clips", "5", "--eval-clips", "3")


def make(monkeypatch, capsys, *arguments, out="set"):
    code, printed, err = run(monkeypatch, capsys, "make-experiment", "embeddings", out, *arguments)
    return code, f"{printed} {err}"


def both(folder):
    return lists.read(folder / "allowed_training_set.yaml"), lists.read(folder / "eval.yaml")


@pytest.mark.parametrize("source", [BY_CSV, BY_LISTS])
def test_other_words_are_sampled_as_in_dataperf(source, corpus, tmp_path, monkeypatch, capsys):
    code, printed = make(monkeypatch, capsys, *TARGETS, *source, *SMALL)
    assert (code, "4 known, 2 evaluated only" in printed) == (0, True)
    pool, judged = both(tmp_path / "set")
    for word in ("yes", "não"):
        assert set(pool.targets[word]) == {clip for clip in corpus["train"] if clip.startswith(f"{word}/")}
        assert set(judged.targets[word]) == {c for c in corpus["dev"] + corpus["test"] if c.startswith(f"{word}/")}
    rng = np.random.RandomState(0)
    drawn = rng.choice(sorted(NAMES[2:]), 6, replace=False)
    train, evaluated = [], []
    for place, word in enumerate(drawn):
        ids = words.read(tmp_path / "embeddings" / f"{word}.parquet").ids
        chosen = set(rng.choice(ids, 8, replace=False))
        kept = [clip for clip in ids if clip in chosen]
        train += kept[:5] if place < 4 else []
        evaluated += kept[5:] if place < 4 else kept
    assert (list(pool.nontargets), list(judged.nontargets)) == (train, evaluated)
    about = json.loads((tmp_path / "set" / "experiment.json").read_text())
    assert (about["known"], about["unknown"]) == (drawn[:4].tolist(), drawn[4:].tolist())


def test_by_split_uses_each_clip_in_its_own_split_only(corpus, tmp_path, monkeypatch, capsys):
    more = ("--words", "8", "--known", "5", "--train-clips", "7", "--eval-clips", "0", "--by-split", "--judge", "dev")
    assert make(monkeypatch, capsys, *TARGETS, *BY_LISTS, *more)[0] == 0
    pool, judged = both(tmp_path / "set")
    assert set(pool.counts()) <= set(corpus["train"])
    assert set(judged.counts()) == set(corpus["dev"])
    known = json.loads((tmp_path / "set" / "experiment.json").read_text())["known"]
    counts = {word: sum(clip.startswith(f"{word}/") for clip in pool.nontargets) for word in NAMES[2:]}
    assert counts == {word: 7 if word in known else 0 for word in NAMES[2:]}


def test_own_recordings_are_split_by_speaker_and_all_other_words_are_used(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for word in ("hallo", "ja", "nein", "stopp"):
        ids = [f"{word}/speaker{n % 40}_nohash_{n}.wav" for n in range(80)]
        words.write(tmp_path / "embeddings" / f"{word}.parquet", ids, np.ones((80, 4)))
    code, printed = make(monkeypatch, capsys, "--target", "hallo", "--by-split")
    assert (code, "2 known, 1 evaluated only" in printed) == (0, True)
    assert "next: edgekws select run --data set" in printed
    speakers = [{clip.split("/")[1].split("_")[0] for clip in side.counts()} for side in both(tmp_path / "set")]
    assert speakers[0] and speakers[1] and not speakers[0] & speakers[1]
    assert speakers[0] | speakers[1] == {f"speaker{n}" for n in range(40)}
    plan = json.loads((tmp_path / "set" / "experiment.json").read_text())["plan"]
    assert (plan["words"], plan["known"]) == (3, 2)


def test_the_folders_hold_the_listed_rows_in_their_own_type_and_no_others(corpus, tmp_path, monkeypatch, capsys):
    assert make(monkeypatch, capsys, *TARGETS, *BY_CSV, *SMALL)[0] == 0
    for listed, folder in zip(both(tmp_path / "set"), ("train_embeddings", "eval_embeddings"), strict=True):
        held = {}
        for path in (tmp_path / "set" / folder).iterdir():
            word, source = words.read(path), words.read(tmp_path / "embeddings" / path.name)
            assert word.dtype == np.float64
            held |= dict.fromkeys(word.ids, path)
            rows = [source.ids.index(clip) for clip in word.ids]
            np.testing.assert_array_equal(word.vectors(range(len(rows))), source.vectors(rows))
        assert set(held) == set(listed.counts())


def test_an_experiment_can_be_selected_from_and_scored(corpus, tmp_path, monkeypatch, capsys):
    assert make(monkeypatch, capsys, *TARGETS, *BY_LISTS, *SMALL)[0] == 0
    pool = ("--allowed-training-set", "set/allowed_training_set.yaml", "--train-embeddings-dir", "set/train_embeddings")
    assert run(monkeypatch, capsys, "run", "--selector", "balanced", "--train-size", "12", *pool)[0] == 0
    code, out, _ = run(monkeypatch, capsys, "score", "--train-file", "en_12_train.json", *pool, "--eval-file",
                       "set/eval.yaml", "--eval-embeddings-dir", "set/eval_embeddings")  # fmt: skip
    assert (code, "Score:  0." in out) == (0, True)
    code, printed, _ = run(monkeypatch, capsys, "run", "--selector", "balanced", "--train_size", "12", "--data", "set")
    assert (code, "next: edgekws select score --data set --train-file en_12_train.json" in printed) == (0, True)
    assert run(monkeypatch, capsys, "score", "--data", "set", "--train-file", "en_12_train.json")[1] == out
    assert run(monkeypatch, capsys, "inspect", "en_12_train.json", "set")[0] == 0
    paths = ("set/allowed_training_set.yaml", "set/train_embeddings", "set/eval.yaml", "set/eval_embeddings")
    assert run(monkeypatch, capsys, "inspect", *paths)[0] == 0


def test_the_files_depend_on_the_seed_only(corpus, tmp_path, monkeypatch, capsys):
    for out, seed in (("set", "0"), ("same", "0"), ("other", "1")):
        assert make(monkeypatch, capsys, *TARGETS, *BY_LISTS, *SMALL, "--seed", seed, out=out)[0] == 0
    content = {
        out: {path.relative_to(tmp_path / out): path.read_bytes() for path in (tmp_path / out).rglob("*.*")}
        for out in ("set", "same", "other")
    }
    assert content["set"] == content["same"] != content["other"]


def test_either_unicode_form_of_a_word_is_the_same_word(corpus, tmp_path, monkeypatch, capsys):
    taken_apart = unicodedata.normalize("NFD", "não")
    (tmp_path / "embeddings" / "não.parquet").rename(tmp_path / "embeddings" / f"{taken_apart}.parquet")
    for target, out in (("não", "a"), (taken_apart, "b")):
        arguments = ("--target", "yes", "--target", target, *BY_CSV, *SMALL)
        assert make(monkeypatch, capsys, *arguments, out=out)[0] == 0
    assert both(tmp_path / "a") == both(tmp_path / "b")
    assert len(both(tmp_path / "a")[0].targets["não"]) == 12


def test_either_unicode_form_of_an_id_finds_its_split(corpus, tmp_path, monkeypatch, capsys):
    assert make(monkeypatch, capsys, *TARGETS, *BY_CSV, *SMALL, out="a")[0] == 0
    text = (tmp_path / "xx_splits.csv").read_text(encoding="utf-8")
    (tmp_path / "xx_splits.csv").write_text(unicodedata.normalize("NFD", text), encoding="utf-8")
    assert make(monkeypatch, capsys, *TARGETS, *BY_CSV, *SMALL, out="b")[0] == 0
    assert both(tmp_path / "a") == both(tmp_path / "b")


def rewritten(path, old, new):
    path.write_text(path.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ((*TARGETS, *BY_CSV), 4, "200 other words should have more than 200 clips. Got: 0 have, of 12"),
        ((*TARGETS, *BY_CSV), 4, "or what each has with --by-split"),
        (
            (*TARGETS, *BY_CSV, "--words", "13", "--by-split"),
            4,
            "Got: 12 have, of 12. What to do: give --words 12 or fewer.",
        ),
        ((*TARGETS, *SMALL, *BY_CSV, *BY_LISTS), 4, "its splits from one place"),
        (
            ("--target", "yse", *SMALL, *BY_CSV),
            3,
            "should have yse.parquet. Got: no such file. What to do: check the word; it has",
        ),
        (("--target", "../x", *SMALL, *BY_CSV), 4, "target words"),
        (("--target", "yes", "--target", "yes", *SMALL, *BY_CSV), 4, "each once"),
        ((*TARGETS, *SMALL, *BY_CSV, "--known", "7"), 4, "7 of 6"),
        ((*TARGETS, *SMALL, *BY_CSV, "--eval-clips", "0"), 4, "add --by-split"),
        ((*TARGETS, *SMALL, *BY_CSV, "--judge", "train"), 4, "dev, test or both"),
        ((*TARGETS, *SMALL, "--splits", "gone.csv"), 8, "gone.csv"),
        ((*TARGETS, *SMALL, "--splits", "bad_column.csv"), 8, "no column LINK in line 1"),
        ((*TARGETS, *SMALL, "--splits", "bad_set.csv"), 8, "SET TRIAN and LINK yes/"),
        ((*TARGETS, *SMALL, "--recordings", "embeddings"), 8, "validation_list.txt"),
        (("--target", "mixed", *SMALL, *BY_LISTS), 3, "ids of the form mixed/file.wav. Got: yes/1.wav"),
        (("--target", "twice", *SMALL, *BY_LISTS), 3, "1 ids twice"),
        (
            ("--target", "aachen", *SMALL, *BY_LISTS),
            3,
            "the target aachen should have clips to train and clips to evaluate",
        ),
        (("--target", "broken", *SMALL, *BY_LISTS), 8, "broken.parquet"),
        (("--target", "nan", *SMALL, *BY_LISTS), 8, "NaN or infinity in the vector of nan/1.wav"),
    ],
)
def test_impossible_experiments_are_refused_and_nothing_is_left(
    arguments, code, message, corpus, tmp_path, monkeypatch, capsys
):
    for name, old, new in (("bad_column", "LINK", "PATH"), ("bad_set", "TRAIN", "TRIAN")):
        (tmp_path / f"{name}.csv").write_bytes((tmp_path / "xx_splits.csv").read_bytes())
        rewritten(tmp_path / f"{name}.csv", old, new)
    folder, vector = tmp_path / "embeddings", np.ones((2, 4))
    words.write(folder / "mixed.parquet", ["mixed/1.wav", "yes/1.wav"], vector)
    words.write(folder / "twice.parquet", ["twice/1.wav"] * 2, vector)
    words.write(folder / "aachen.parquet", ["aachen/1.wav", "aachen/2.wav"], vector)
    words.write(folder / "nan.parquet", ["nan/1.wav", "nan/2.wav"], vector * np.nan)
    rewritten(tmp_path / "validation_list.txt", "\n", "\nnan/2.wav\n")
    if "broken" in arguments:
        (folder / "broken.parquet").write_bytes(b"PAR1")
    before = sorted(tmp_path.iterdir())
    result, text = make(monkeypatch, capsys, *arguments)
    assert (result, message in " ".join(text.split())) == (code, True), text
    assert sorted(tmp_path.iterdir()) == before


def test_an_existing_folder_is_not_changed(corpus, tmp_path, monkeypatch, capsys):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "mine.txt").write_text("mine")
    code, printed = make(monkeypatch, capsys, *TARGETS, *BY_CSV, *SMALL)
    assert (code, "should be a new folder" in " ".join(printed.split())) == (8, True)
    assert [path.name for path in (tmp_path / "set").iterdir()] == ["mine.txt"]
