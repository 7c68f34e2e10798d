"""`edgekws select`: the challenge's own command lines, refusals with exit codes, reports, inspect."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

from edgekws import cli
from edgekws.curate.dataperf.formats import lists, npz, pb, words
from tests.curate.dataperf import cases

SMALL = cases.Case(50, dimensions=6, others=6, eval_each=10, eval_others=60, chosen=2, seeds=(5, 69))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    cases.write(SMALL, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def edgekws(monkeypatch, *arguments):
    monkeypatch.setattr("sys.argv", ["edgekws", *map(str, arguments)])
    try:
        cli.main()
    except SystemExit as stop:
        return stop.code or 0
    return 0


FILES = ("--train_file=en_25_train.json", "--allowed_training_set=allowed_training_set.yaml", "--eval_file=eval.yaml",
         "--train_embeddings_dir=train_embeddings", "--eval_embeddings_dir=eval_embeddings",
         "--config_file=config.yaml")  # fmt: skip


def run(monkeypatch, capsys, *arguments):
    code = edgekws(monkeypatch, "select", *arguments)
    captured = capsys.readouterr()
    return code, captured.out, " ".join(captured.err.split())


def test_the_challenges_command_line_prints_the_same_line(folder, monkeypatch, capsys):
    code, out, _ = run(monkeypatch, capsys, "eval", "--language=en", "--train_size=25", *FILES)
    assert code == 0
    same = run(monkeypatch, capsys, "score", *" ".join(FILES).replace("_", "-", 1).replace("=", " ").split())
    assert out.splitlines()[-1].startswith("Score:  0.")
    assert same[1].splitlines()[-1] == out.splitlines()[-1]


def test_default_paths_are_those_of_the_challenge(folder, monkeypatch, capsys):
    data = folder / "workspace" / "data" / "dataperf_en_data"
    data.mkdir(parents=True)
    for name in ("allowed_training_set.yaml", "eval.yaml", "train_embeddings", "eval_embeddings"):
        (folder / name).rename(data / name)
    (folder / "en_25_train.json").rename(folder / "workspace" / "en_25_train.json")
    (folder / "config.yaml").rename(folder / "workspace" / "dataperf_speech_config.yaml")
    code, out, _ = run(monkeypatch, capsys, "eval", "--language", "en", "--train_size", "25", "--json")
    assert code == 0
    assert [row["seed"] for row in json.loads(out)["seeds"]] == [5, 69]


def test_the_report_explains_the_score(folder, monkeypatch, capsys):
    code, out, _ = run(monkeypatch, capsys, "score", *FILES, "--json", "--out", "r.json", "--predictions", "p.csv")
    result = json.loads(out)
    assert code == 0
    assert json.loads((folder / "r.json").read_text()) == result
    assert result["score"] == np.mean([row["score"] for row in result["seeds"]])
    assert result["numerics"]["name"] == "2023"
    assert result["protocol"] == "2023-05"
    assert result["interval"]["low"] < result["score"] < result["interval"]["high"]
    rows = list(csv.DictReader((folder / "p.csv").read_text().splitlines()))
    assert len(rows) == result["clips"]["evaluated"] == 5 * 10 + 60
    names, table = result["confusion"]["labels"], np.array(result["confusion"]["summed_over_seeds"])
    counted = np.zeros_like(table)
    for row in rows:
        for seed in ("seed_5", "seed_69"):
            counted[names.index(row["truth"]), names.index(row[seed])] += 1
    np.testing.assert_array_equal(counted, table)
    f1 = [2 * t[n, n] / max(1, t[n].sum() + t[:, n].sum()) for n in range(6) for t in [table]]
    assert [row["name"] for row in result["classes"]] == ["nontarget", "bird", "cat", "dog", "house", "tree"]
    assert result["classes"][0]["f1"] == pytest.approx(f1[0], abs=0.05)


@pytest.mark.parametrize(("protocol", "line"), [("2022-04", "score 0."), ("2022-09", "Score:  0.")])
def test_an_older_protocol_prints_its_own_line(protocol, line, folder, monkeypatch, capsys):
    code, out, _ = run(monkeypatch, capsys, "eval", *FILES, "--protocol", protocol)
    assert (code, out.splitlines()[-1].startswith(line)) == (0, True)


def test_march_2022_prints_two_lines_and_reports_two_classifiers(folder, monkeypatch, capsys):
    arguments = ("score", *FILES, "--protocol", "2022-03", "--predictions", "p.csv")
    code, out, _ = run(monkeypatch, capsys, *arguments, "--out", "r.json")
    result = json.loads((folder / "r.json").read_text())
    assert (code, [row["name"] for row in result["classifiers"]]) == (0, ["Perceptron", "svm"])
    assert out.splitlines()[-2:] == [f"{row['name']} score {row['score']}" for row in result["classifiers"]]
    assert result["measure"] == "accuracy" and "seeds" not in result
    rows = list(csv.DictReader((folder / "p.csv").read_text().splitlines()))
    for row in result["classifiers"]:
        assert np.mean([each["truth"] == each[row["name"]] for each in rows]) == row["score"]


def changed(folder, change):
    value = json.loads((folder / "en_25_train.json").read_text())
    change(value["targets"], value["nontargets"])
    (folder / "en_25_train.json").write_text(json.dumps(value))


REFUSED = {
    "target fish not in allowed set": lambda t, n: t.update(fish=[]),
    "bird contains an ID not in allowed set": lambda t, n: t["bird"].append("bird/x.wav"),
    "belongs to cat": lambda t, n: t["bird"].append(t["cat"][0]),
    "nontargets contain an ID not in allowed set": lambda t, n: n.append(t["cat"][0]),
    "30 samples exceeds limit of 25": lambda t, n: n.extend(n[:1] * 10),
}
INVALID_BUT_SCORED = {
    "twice in bird": lambda t, n: t["bird"].append(t["bird"][0]),
    "twice in nontargets": lambda t, n: n.append(n[0]),
    "none for bird": lambda t, n: t["bird"].clear(),
    "without bird, so class numbers differ": lambda t, n: t.pop("bird"),
}


@pytest.mark.parametrize("message", [*REFUSED, *INVALID_BUT_SCORED])
def test_a_selection_against_the_rules_is_refused_and_nothing_written(message, folder, monkeypatch, capsys):
    changed(folder, {**REFUSED, **INVALID_BUT_SCORED}[message])
    code, out, err = run(monkeypatch, capsys, "score", *FILES, "--out", "r.json")
    assert code == 3
    assert message in err
    assert not out
    assert not (folder / "r.json").exists()


@pytest.mark.parametrize("message", INVALID_BUT_SCORED)
def test_strict_peer_scores_with_a_warning(message, folder, monkeypatch, capsys):
    changed(folder, INVALID_BUT_SCORED[message])
    code, out, err = run(monkeypatch, capsys, "score", *FILES, "--strict-peer")
    assert code == 0
    assert "Score:  0." in out
    assert "warning:" in err


@pytest.mark.parametrize("key", ["targets", "nontargets"])
def test_strict_peer_refuses_a_single_class(key, folder, monkeypatch, capsys):
    changed(folder, lambda t, n: [ids.clear() for ids in ([n] if key == "nontargets" else t.values())])
    code, _, err = run(monkeypatch, capsys, "score", *FILES, "--strict-peer")
    assert code == 3
    assert "no clip of " + ("other words" if key == "nontargets" else "targets") in err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--numerics", "2019"), 4, "2023, 2024, native"),
        (("--protocol", "2020-01"), 4, "2022-02"),
        (("--protocol", "2022-02"), 4, "needs eval.pb"),
        (("--train-file", "absent.json", "--train-size", "25"), 8, "absent.json"),
        (("--train-file", "absent.json"), 8, "there is no file"),
        (("--train-embeddings-dir", "absent"), 3, "no such folder"),
        (("--eval-embeddings-dir", "train_embeddings"), 3, "are missing"),
        (("--config-file", "seeds.yaml"), 4, "seeds should be integers"),
    ],
)
def test_options_and_files_that_do_not_fit_are_refused(arguments, code, message, folder, monkeypatch, capsys):
    (folder / "seeds.yaml").write_text("eval_random_seeds: [1, -1]\n")
    result = run(monkeypatch, capsys, "score", *FILES, *arguments)
    assert result[0] == code
    assert message in result[2]


def test_a_score_needs_a_selection(folder, monkeypatch, capsys):
    code, _, err = run(monkeypatch, capsys, "score", "--data", ".")
    assert (code, "give the file that edgekws select run wrote with --train-file" in " ".join(err.split())) == (4, True)


def test_a_file_name_without_a_size_needs_the_option(folder, monkeypatch, capsys):
    (folder / "en_25_train.json").rename(folder / "mine.json")
    files = [each.replace("en_25_train", "mine") for each in FILES]
    code, _, err = run(monkeypatch, capsys, "score", *files)
    assert (code, "--train-size" in err) == (4, True)
    code, _, err = run(monkeypatch, capsys, "score", *files, "--train-size", "24")
    assert (code, "no leaderboard has the size 24" in err) == (0, True)


def test_vectors_of_another_length_to_evaluate_are_refused(folder, monkeypatch, capsys):
    other = replace(SMALL, dimensions=7)
    cases.write(other, folder / "other")
    code, _, err = run(monkeypatch, capsys, "score", *FILES, "--eval-file", "other/eval.yaml",
                       "--eval-embeddings-dir", "other/eval_embeddings")  # fmt: skip
    assert (code, "vectors in other/eval_embeddings should have 6 numbers, as those to train. Got: 7" in err) == (
        8,
        True,
    )


def test_a_target_that_lacks_a_clip_is_a_warning_as_in_the_challenge(folder, monkeypatch, capsys):
    word = words.read(folder / "eval_embeddings" / "bird.parquet")
    listed = set(lists.read(folder / "eval.yaml").targets["bird"])
    rows = [n for n, clip in enumerate(word.ids) if clip in listed][1:]
    words.write(word.path, [word.ids[n] for n in rows], word.vectors(rows))
    code, _, err = run(monkeypatch, capsys, "score", *FILES)
    assert code == 0
    assert "lacks 1 of the clips listed for bird" in err


def first_files(folder):
    x, y, types, vectors = cases.first("first-balanced")
    npz.write(folder / "train.npz", npz.TrainingSet(x, y))
    ids = tuple(f"en/{n}.wav" for n in range(len(types)))
    pb.write(folder / "eval.pb", pb.Samples(ids, types.astype(np.int8), vectors))
    pb.write(folder / "samples.pb", pb.Samples(ids[: len(y)], (1 - y).astype(np.int8), x.astype(np.float32)))
    lists.write_first(folder / "train.yaml", lists.FirstLists(ids[:10], ids[10 : len(y)]))


@pytest.mark.parametrize(
    "more", [("--train_file=train.npz",), ("--train_file=train.yaml", "--input_samples=samples.pb")]
)
def test_the_first_generations_command_line_prints_the_same_line(more, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    first_files(tmp_path)
    code, out, _ = run(monkeypatch, capsys, "eval", "--eval_file=eval.pb", *more)
    assert code == 0
    assert out.splitlines()[-1] == "eval score 0.92"


def test_a_train_yaml_of_unknown_or_repeated_clips_is_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    first_files(tmp_path)
    for ids, message in (
        (("en/0.wav", "en/15.wav"), "en/15.wav, which is of another word there"),
        (("en/0.wav",) * 2, "1 ids twice"),
    ):
        lists.write_first(tmp_path / "train.yaml", lists.FirstLists(ids, ("en/12.wav",)))
        files = ("--eval-file", "eval.pb", "--train-file", "train.yaml", "--input-samples", "samples.pb")
        code, _, err = run(monkeypatch, capsys, "score", *files)
        assert (code, message in err) == (3, True)


def test_inspect_counts_valid_files(folder, monkeypatch, capsys):
    first_files(folder)
    paths = ["en_25_train.json", "allowed_training_set.yaml", "eval.yaml", "train_embeddings", "eval_embeddings",
             "train_embeddings/bird.parquet", "samples.pb", "train.npz", "train.yaml"]  # fmt: skip
    code, out, _ = run(monkeypatch, capsys, "inspect", "--json", *paths)
    result = {each["path"]: each for each in json.loads(out)}
    assert code == 0
    assert not any(each["problems"] for each in result.values())
    assert result["en_25_train.json"]["facts"]["clips"] == 20
    assert result["train_embeddings"]["facts"]["words"] == 11
    assert result["train_embeddings/bird.parquet"]["facts"] == {"clips": 14, "dimensions": "6", "type": "float32"}
    assert result["train.npz"]["facts"]["targets"] == 10
    assert result["samples.pb"]["facts"]["nontargets"] == 10


def test_inspect_names_every_problem_and_exits_with_3(folder, monkeypatch, capsys):
    changed(folder, lambda t, n: (t["bird"].append(t["bird"][0]), n.append("gone/x.wav")))
    (folder / "train_embeddings" / "cat.parquet").write_bytes(b"PAR1")
    words.write(folder / "eval_embeddings" / "bird.parquet", ["bird/1.wav", "cat/1.wav"], np.full((2, 3), np.nan))
    (folder / "train.npz").write_bytes(b"PK")
    paths = ("en_25_train.json", "allowed_training_set.yaml", "train_embeddings", "eval_embeddings", "eval.yaml")
    code, out, _ = run(monkeypatch, capsys, "inspect", *paths, "train.npz")
    printed = " ".join(out.split())
    assert code == 3
    for problem in (
        "1 ids more than once", "nontargets contain an ID not in allowed set", "lacks 2 words: cat, gone",
        "cat.parquet: ", "1 ids of another word (cat/1.wav)", "NaN or infinity in the vector of bird/1.wav",
        "vectors differ: ", "lacks 10 clips: bird/", "train.npz should be",
    ):  # fmt: skip
        assert problem in printed, problem
