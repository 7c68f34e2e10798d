"""`edgekws select convert`: between the formats of selections and pools, and impossible conversions."""

import itertools
import json

import numpy as np
import pytest

from edgekws.curate.dataperf.formats import lists, npz, pb, words
from tests.curate.dataperf.test_select_cli import run


def pool_of(rng, clips=6, others=8, dimensions=5):
    """Rows of both kinds interleaved, as in the challenge's files."""
    ids = [f"en/clips/jalapeño/cv_{n}.wav" for n in range(clips)]
    ids += [f"en/clips/{'cat' if n % 2 else 'tree'}/cv_{n}.wav" for n in range(others)]
    types = np.repeat([pb.TARGET, pb.NONTARGET], [clips, others]).astype(np.int8)
    order = rng.permutation(clips + others)
    vectors = rng.normal(size=(clips + others, dimensions)).astype(np.float32)
    return pb.Samples(tuple(ids[n] for n in order), types[order], vectors[order])


@pytest.fixture
def pool(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = pool_of(np.random.default_rng(0))
    pb.write(tmp_path / "samples.pb", result)
    return result


TARGETS = ("en/clips/jalapeño/cv_4.wav", "en/clips/jalapeño/cv_0.wav")
OTHERS = ("en/clips/cat/cv_3.wav", "en/clips/tree/cv_0.wav", "en/clips/cat/cv_1.wav")


def rows(pool, ids):
    return pool.vectors[[pool.ids.index(clip) for clip in ids]].astype(np.float64)


@pytest.fixture
def chosen(pool, tmp_path):
    """train.npz in the order of choice, which is not that of samples.pb."""
    npz.write(tmp_path / "train.npz", npz.TrainingSet(rows(pool, TARGETS + OTHERS), np.array([1, 1, 0, 0, 0])))
    return tmp_path


def converted(monkeypatch, capsys, *arguments):
    code, out, err = run(monkeypatch, capsys, "convert", *arguments)
    return code, f"{out} {err}"


SAMPLES = ("--input-samples", "samples.pb")


def test_a_train_npz_gets_the_ids_of_its_vectors_and_back(chosen, pool, monkeypatch, capsys):
    code, printed = converted(monkeypatch, capsys, "train.npz", "train.yaml", *SAMPLES)
    assert (code, "targets 2, other words 3" in printed) == (0, True)
    assert lists.read_first(chosen / "train.yaml") == lists.FirstLists(TARGETS, OTHERS)
    assert converted(monkeypatch, capsys, "train.yaml", "again.npz", *SAMPLES)[0] == 0
    again, by_file = npz.read(chosen / "again.npz"), sorted(TARGETS, key=pool.ids.index)
    np.testing.assert_array_equal(again.x, rows(pool, by_file + sorted(OTHERS, key=pool.ids.index)))
    assert again.y.tolist() == [1, 1, 0, 0, 0] and again.x.dtype == np.float64


def test_formats_are_detected_by_content(chosen, monkeypatch, capsys):
    (chosen / "train.npz").rename(chosen / "selection.yaml")
    (chosen / "samples.pb").rename(chosen / "pool.txt")
    files = ("selection.yaml", "x.json", "--input-samples", "pool.txt")
    assert converted(monkeypatch, capsys, *files)[0] == 0
    assert list(json.loads((chosen / "x.json").read_text())["targets"]) == ["jalapeño"]


def test_every_selection_format_converts_to_every_other_and_back(chosen, monkeypatch, capsys):
    names = {"npz": "train.npz", "ids": "ids.yaml", "json": "en_25_train.json", "yaml": "today.yaml"}
    for form in ("ids", "json", "yaml"):
        assert converted(monkeypatch, capsys, "train.npz", names[form], "--to", form, *SAMPLES)[0] == 0
    for (source, given), (form, known) in itertools.permutations(names.items(), 2):
        out = chosen / f"{source}-to-{form}"
        code, printed = converted(monkeypatch, capsys, given, out, "--to", form, *SAMPLES)
        assert code == 0, printed
        if form == "npz":
            assert sorted(npz.read(out).x.tolist()) == sorted(npz.read(chosen / known).x.tolist())
        else:
            assert out.read_bytes() == (chosen / known).read_bytes()


def test_lists_of_several_words_keep_their_order_between_json_and_yaml(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    known = lists.IdLists({"tree": ("tree/2.wav", "tree/1.wav"), "no": ("no/1.wav",), "été": ()}, ("cat/9.wav",) * 2)
    lists.write_yaml(tmp_path / "train.yaml", known)
    assert converted(monkeypatch, capsys, "train.yaml", "en_25_train.json")[0] == 0
    assert converted(monkeypatch, capsys, "en_25_train.json", "again.yaml")[0] == 0
    for name in ("en_25_train.json", "again.yaml"):
        result = lists.read(tmp_path / name)
        assert result == known and list(result.targets) == ["tree", "no", "été"]
    assert (tmp_path / "again.yaml").read_bytes() == (tmp_path / "train.yaml").read_bytes()


def test_clips_with_one_vector_are_named_in_order_and_a_warning_says_so(chosen, pool, monkeypatch, capsys):
    vectors = pool.vectors.copy()
    same = [n for n, kind in enumerate(pool.types) if kind == pb.TARGET][:3]
    vectors[same] = vectors[same[0]]
    pb.write(chosen / "samples.pb", pb.Samples(pool.ids, pool.types, vectors))
    x = vectors[[same[2], same[0], *np.flatnonzero(pool.types == pb.NONTARGET)[:1]]].astype(np.float64)
    npz.write(chosen / "train.npz", npz.TrainingSet(x, np.array([1, 1, 0])))
    code, printed = converted(monkeypatch, capsys, "train.npz", "train.yaml", *SAMPLES)
    assert (code, "2 rows have the vector of several clips" in printed) == (0, True)
    assert lists.read_first(chosen / "train.yaml").targets == tuple(pool.ids[n] for n in same[:2])


def test_a_pool_converts_to_a_folder_with_its_list_and_back(chosen, pool, monkeypatch, capsys):
    code, printed = converted(monkeypatch, capsys, "samples.pb", "pool")
    assert (code, "jalapeño 6, other words 8, 3 files" in printed) == (0, True)
    listed = lists.read(chosen / "pool" / "allowed_training_set.yaml")
    assert len(listed.targets["jalapeño"]) == 6 and len(listed.nontargets) == 8
    tree = words.read(words.path_of(chosen / "pool" / "train_embeddings", "tree"))
    place = pool.ids.index("en/clips/tree/cv_4.wav")
    np.testing.assert_array_equal(tree.vectors([tree.ids.index("tree/cv_4.wav")])[0], pool.vectors[place])
    files = ("pool/allowed_training_set.yaml", "again.pb", "--embeddings", "pool/train_embeddings")
    assert converted(monkeypatch, capsys, *files)[0] == 0
    again = pb.read(chosen / "again.pb")
    assert {c.split("/", 2)[2] for c in pool.ids} == set(again.ids)
    for clip, kind, vector in zip(pool.ids, pool.types, pool.vectors, strict=True):
        at = again.ids.index(clip.split("/", 2)[2])
        assert again.types[at] == kind and np.array_equal(again.vectors[at], vector)


def test_a_converted_task_is_scored_by_the_current_protocol_and_its_own(chosen, pool, monkeypatch, capsys):
    """The same logistic regression sees the same clips: as accurate by its own rules, whichever form they come in."""
    pb.write(chosen / "eval.pb", pool_of(np.random.default_rng(1), 20, 20))
    assert converted(monkeypatch, capsys, "samples.pb", "pool")[0] == 0
    assert converted(monkeypatch, capsys, "eval.pb", "evaluation", "--evaluation")[0] == 0
    assert converted(monkeypatch, capsys, "train.npz", "en_25_train.json", *SAMPLES)[0] == 0
    code, out, _ = run(monkeypatch, capsys, "score", "--train-file", "en_25_train.json", "--eval-file",
                       "evaluation/eval.yaml", "--allowed-training-set", "pool/allowed_training_set.yaml",
                       "--train-embeddings-dir", "pool/train_embeddings", "--json",
                       "--eval-embeddings-dir", "evaluation/eval_embeddings")  # fmt: skip
    assert (code, json.loads(out)["clips"]) == (0, {"trained": 5, "evaluated": 40})
    lines = []
    for files in (("train.npz",), ("ids.yaml", *SAMPLES)):
        if files[0] == "ids.yaml":
            assert converted(monkeypatch, capsys, "en_25_train.json", "ids.yaml", "--to", "ids", *SAMPLES)[0] == 0
        lines.append(
            run(monkeypatch, capsys, "eval", "--eval_file", "eval.pb", "--train_file", *files)[1].splitlines()[-1]
        )
    assert lines[0] == lines[1] and lines[0].startswith("eval score 0.")


def test_float64_vectors_become_a_samples_pb_only_without_loss(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    lists.write_yaml(tmp_path / "a.yaml", lists.IdLists({"on": ("on/1.wav",)}, ("off/1.wav",)))
    for word, number in (("on", 0.5), ("off", 0.25)):
        words.write(tmp_path / "e" / f"{word}.parquet", [f"{word}/1.wav"], np.full((1, 2), number))
    assert converted(monkeypatch, capsys, "a.yaml", "a.pb", "--embeddings", "e")[0] == 0
    assert pb.read(tmp_path / "a.pb").vectors.tolist() == [[0.5, 0.5], [0.25, 0.25]]
    words.write(tmp_path / "e" / "off.parquet", ["off/1.wav"], np.full((1, 2), 0.1))
    code, printed = converted(monkeypatch, capsys, "a.yaml", "b.pb", "--embeddings", "e")
    assert (code, "off/1.wav that float32 does not hold" in printed) == (3, True)
    assert not (tmp_path / "b.pb").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("train.npz", "x.yaml"), 4, "give --input-samples"),
        (("train.npz", "x.npz", *SAMPLES), 4, "npz already"),
        (("train.npz", "train.npz", "--to", "ids", *SAMPLES), 4, "should not replace its source"),
        (("train.npz", "x.txt", *SAMPLES), 4, "--to should be one of npz, ids, json, yaml, pb, parquet"),
        (("train.npz", "x", *SAMPLES), 4, "is not a pool"),
        (("samples.pb", "x.json"), 4, "is a pool of clips, not a selection"),
        (("today.yaml", "x.pb"), 4, "give --embeddings"),
        (("two.json", "x.npz", *SAMPLES), 3, "2 target words (bird, cat)"),
        (("absent.json", "x.npz", *SAMPLES), 3, "no bird/1.wav"),
        ((".", "x.pb"), 4, "a folder"),
        (("gone.npz", "x.yaml"), 8, "gone.npz"),
        (("broken.pb", "x"), 8, "the file ends within"),
        (("pickled.npz", "x.yaml", *SAMPLES), 8, "never loaded"),
    ],
)
def test_impossible_conversions_are_refused_and_nothing_is_written(
    arguments, code, message, chosen, monkeypatch, capsys
):
    lists.write_yaml(chosen / "today.yaml", lists.IdLists({"bird": ("bird/1.wav",)}, ("cat/1.wav",)))
    lists.write_json(chosen / "absent.json", lists.IdLists({"bird": ("bird/1.wav",)}, ("cat/1.wav",)))
    lists.write_json(chosen / "two.json", lists.IdLists({"bird": ("bird/1.wav",), "cat": ("cat/1.wav",)}, ()))
    (chosen / "broken.pb").write_bytes((chosen / "samples.pb").read_bytes()[:-3])
    np.savez(chosen / "pickled.npz", train_x=np.array([None]), train_y=np.array([1]))
    before = sorted(chosen.iterdir())
    result = converted(monkeypatch, capsys, *arguments)
    assert result[0] == code
    assert message in " ".join(result[1].split())
    assert sorted(chosen.iterdir()) == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x, y: x.__iadd__(1), "row 1 is the vector of no clip"),
        (lambda x, y: y.__setitem__(0, 0), "row 1 is a vector of the other class"),
        (lambda x, y: x.__setitem__(1, x[0]), "row 2 repeats a clip"),
    ],
)
def test_a_train_npz_of_other_clips_is_refused_with_the_row(change, message, chosen, monkeypatch, capsys):
    known = npz.read(chosen / "train.npz")
    x, y = known.x.copy(), known.y.copy()
    change(x, y)
    npz.write(chosen / "train.npz", npz.TrainingSet(x, y))
    code, result = converted(monkeypatch, capsys, "train.npz", "train.yaml", *SAMPLES)
    assert (code, message in result) == (3, True)


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (("en/bird/1.wav", "en/cat/1.wav", "pt/cat/1.wav"), "en/cat/1.wav and pt/cat/1.wav"),
        (("en/bird/1.wav", "1.wav", "en/cat/2.wav"), "(.../bird/1.wav). Got: 1.wav"),
        (("en/bird/1.wav", "en/../1.wav", "en/cat/2.wav"), "Got: en/../1.wav"),
        (("en/bird/1.wav", "en/cat/1.wav", "en/cat/1.wav"), "1 more than once, as en/cat/1.wav"),
    ],
)
def test_ids_that_do_not_map_to_words_and_files_are_refused(ids, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    pb.write(tmp_path / "s.pb", pb.Samples(ids, np.array([0, 1, 1], np.int8), np.ones((3, 2), np.float32)))
    code, result = converted(monkeypatch, capsys, "s.pb", "pool")
    assert (code, message in " ".join(result.split())) == (3, True)
    assert [path.name for path in tmp_path.iterdir()] == ["s.pb"]


def test_leftovers_of_a_killed_run_are_removed(chosen, monkeypatch, capsys):
    left = chosen / ".pool.4194305.partial"  # above the largest process id of Linux
    left.mkdir()
    (left / "half.parquet").write_bytes(b"PAR1")
    assert converted(monkeypatch, capsys, "samples.pb", "pool")[0] == 0
    assert not left.exists()


def test_an_existing_folder_is_not_written_to(chosen, monkeypatch, capsys):
    (chosen / "pool").mkdir()
    assert converted(monkeypatch, capsys, "samples.pb", "pool")[0] == 0
    code, printed = converted(monkeypatch, capsys, "samples.pb", "pool")
    assert (code, "should be a new folder" in " ".join(printed.split())) == (8, True)


BIRD = "en/clips/jalapeño/cv_0.wav"


@pytest.mark.parametrize(
    ("targets", "others", "message"),
    [
        (["cat/cv_1.wav"], ["cat/cv_3.wav"], "en/clips/cat/cv_1.wav, which is of another word there"),
        (["jalapeño/cv_0.wav"], ["jalapeño/cv_1.wav"], "cv_1.wav, which is of a target there"),
        (["jalapeño/cv_0.wav"] * 2, ["cat/cv_1.wav"], "1 ids twice"),
        (["jalapeño/cv_0.wav", BIRD], ["cat/cv_1.wav"], "1 ids twice"),
        ([], [], "a selection without ids"),
    ],
)
@pytest.mark.parametrize("out", ["new.yaml", "new.npz"])
def test_current_lists_convert_to_the_first_generation_only_if_it_could_score_them(
    targets, others, message, out, chosen, monkeypatch, capsys
):
    (chosen / "s.json").write_text(json.dumps({"targets": {"jalapeño": targets}, "nontargets": others}))
    form = "npz" if out.endswith("npz") else "ids"
    code, text = converted(monkeypatch, capsys, "s.json", out, "--to", form, *SAMPLES)
    assert code == 3 and message in " ".join(text.split())
    assert not (chosen / out).exists()


@pytest.mark.parametrize(("targets", "others"), [([BIRD, BIRD], [OTHERS[0]]), ([BIRD], [OTHERS[0], BIRD])])
def test_a_first_generation_selection_with_a_repeated_id_is_refused(targets, others, chosen, monkeypatch, capsys):
    lists.write_first(chosen / "train.yaml", lists.FirstLists(tuple(targets), tuple(others)))
    code, text = converted(monkeypatch, capsys, "train.yaml", "s.json")
    assert code == 3 and "should list each clip once" in " ".join(text.split())
    assert not (chosen / "s.json").exists()


def test_the_input_samples_are_not_overwritten(chosen, monkeypatch, capsys):
    before = (chosen / "samples.pb").read_bytes()
    code, text = converted(monkeypatch, capsys, "train.npz", "samples.pb", "--to", "ids", *SAMPLES)
    assert code == 4 and "should not replace its source" in " ".join(text.split())
    assert (chosen / "samples.pb").read_bytes() == before


def test_the_printed_counts_are_those_written(chosen, monkeypatch, capsys):
    """A target's clip that its file lacks is skipped, as the challenge does."""
    words.write(chosen / "e" / "bird.parquet", ["bird/1.wav"], np.ones((1, 2), np.float32))
    words.write(chosen / "e" / "cat.parquet", ["cat/1.wav"], np.zeros((1, 2), np.float32))
    listed = lists.IdLists({"bird": ("bird/1.wav", "bird/2.wav")}, ("cat/1.wav",))
    lists.write_yaml(chosen / "allowed.yaml", listed)
    code, text = converted(monkeypatch, capsys, "allowed.yaml", "new.pb", "--embeddings", "e")
    assert code == 0 and "bird 1, other words 1" in text and "bird/2.wav" in text
    assert pb.read(chosen / "new.pb").ids == ("bird/1.wav", "cat/1.wav")
