"""Bad input by the command line: refused with the file, the place and the rule, its exit code, and no output."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from edgekws.curate.dataperf.formats import pb
from tests.curate.dataperf import cases
from tests.curate.dataperf.test_select_cli import FILES, SMALL, first_files, run

BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{b}: &{b} [{','.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)
TAG = "targets: {}\nnontargets: !!python/object/apply:os.system ['touch ran']\n"
OUT = ("--out", "r.json", "--predictions", "p.csv")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("challenge")
    cases.write(SMALL, folder)
    first_files(folder)
    return folder


@pytest.fixture
def folder(made, tmp_path, monkeypatch):
    for path in made.rglob("*.*"):
        if path.is_file():
            (tmp_path / path.relative_to(made)).parent.mkdir(exist_ok=True)
            (tmp_path / path.relative_to(made)).write_bytes(path.read_bytes())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(monkeypatch, capsys, folder, code, phrases, *arguments):
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    result, out, err = run(monkeypatch, capsys, *arguments)
    assert result == code, err
    for phrase in phrases:
        assert phrase in err, (phrase, err)
    assert not out
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def column(change):
    """Rewrite the rows of a word's file."""

    def damage(folder, sub):
        path = folder / sub / "bird.parquet"
        pq.write_table(change(pq.read_table(path)), path)

    return damage


def ragged(table):
    vectors = [each[: 6 - row % 5] for row, each in enumerate(table["mswc_embedding_vector"].to_pylist())]
    return pa.table({"clip_id": table["clip_id"], "mswc_embedding_vector": pa.array(vectors, pa.list_(pa.float32()))})


def not_a_number(table):
    vectors = table["mswc_embedding_vector"].to_pylist()
    for vector in vectors:
        vector[1] = float("nan")
    return pa.table({"clip_id": table["clip_id"], "mswc_embedding_vector": pa.array(vectors, pa.list_(pa.float32()))})


def cut(folder, sub):
    path = folder / sub / "bird.parquet"
    path.write_bytes(path.read_bytes()[:-20])


EMBEDDINGS = {
    "another column": (column(lambda t: t.rename_columns(["id", "mswc_embedding_vector"])), "no column clip_id"),
    "ragged": (column(ragged), "; the first has"),
    "NaN": (column(not_a_number), "NaN or infinity in the vector of bird/"),
    "truncated": (cut, "a file that parquet cannot read"),
}


@pytest.mark.parametrize("sub", ["train_embeddings", "eval_embeddings"])
@pytest.mark.parametrize("name", EMBEDDINGS)
def test_embeddings(name, sub, folder, monkeypatch, capsys):
    damage, message = EMBEDDINGS[name]
    damage(folder, sub)
    known = [f"{sub}/bird.parquet", message] + ["row "] * (name in ("ragged", "NaN"))
    refused(monkeypatch, capsys, folder, 8, known, "score", *FILES, *OUT)
    if sub == "train_embeddings":
        refused(monkeypatch, capsys, folder, 8, known, "run", "--selector", "random", *FILES[1:2], *FILES[3:4])


TEXTS = {
    "bomb": (BOMB, "line 7"),
    "tag": (TAG, "line 2"),
    "not lists": ("targets: 1\nnontargets: []\n", "targets is 1"),
    "not text": (
        '{"targets": {"bird": ["bird/\\ud800.wav"]}, "nontargets": []}',
        r"bird, entry 1 is 'bird/\ud800.wav'",
    ),
    "a word that is no text": ('{"targets": {"\\udfff": []}, "nontargets": []}', r"the target '\udfff'"),
    "out of the folder": ("targets: {}\nnontargets: [a/b, ../../c]\n", "nontargets, entry 2 is ../../c"),
    "root": ("targets: {}\nnontargets: [/etc/passwd]\n", "nontargets, entry 1 is /etc/passwd"),
    "unknown key": ("targets: {}\nnontargets: []\nothers: []\n", "unknown key others"),
}


@pytest.mark.parametrize("file", ["allowed_training_set.yaml", "eval.yaml", "en_25_train.json"])
@pytest.mark.parametrize("name", TEXTS)
def test_lists(name, file, folder, monkeypatch, capsys):
    text, message = TEXTS[name]
    (folder / file).write_text(text)
    refused(monkeypatch, capsys, folder, 8, [file, message], "score", *FILES, *OUT)
    if file.startswith("allowed"):
        refused(
            monkeypatch, capsys, folder, 8, [file, message], "run", "--selector", "random", *FILES[1:2], *FILES[3:4]
        )
    assert not (folder / "ran").exists()


@pytest.mark.parametrize("text", [BOMB, TAG])
def test_a_configuration(text, folder, monkeypatch, capsys):
    (folder / "config.yaml").write_text(text)
    refused(monkeypatch, capsys, folder, 8, ["config.yaml", "line "], "score", *FILES, *OUT)
    refused(
        monkeypatch, capsys, folder, 8, ["config.yaml"], "run", *FILES[1:2], *FILES[3:4], "--config-file=config.yaml"
    )
    assert not (folder / "ran").exists()


SELECTIONS = {
    "unknown word": (
        lambda t, n: t.update(fish=["fish/1.wav"]),
        ["target fish not in allowed set", "allowed are bird"],
    ),
    "not allowed": (
        lambda t, n: t["bird"].append("bird/x.wav"),
        ["bird contains an ID not in", "entry 3 is bird/x.wav"],
    ),
    "twice": (lambda t, n: t["bird"].append(t["bird"][0]), ["may be selected once", "twice in bird"]),
    "in two classes": (lambda t, n: n.append(t["cat"][0]), ["not in allowed set", "which belongs to cat"]),
    "over the limit": (lambda t, n: n.extend(n[:1] * 10), ["30 samples exceeds limit of 25"]),
    "an empty target": (lambda t, n: t["bird"].clear(), ["each target should have clips", "none for bird"]),
}


@pytest.mark.parametrize("name", SELECTIONS)
@pytest.mark.parametrize("protocol", ["2023-05", "2022-03"])
def test_selections(name, protocol, folder, monkeypatch, capsys):
    change, message = SELECTIONS[name]
    value = json.loads((folder / "en_25_train.json").read_text())
    change(value["targets"], value["nontargets"])
    (folder / "en_25_train.json").write_text(json.dumps(value))
    more = ("--protocol", protocol, "--train-size", "25")
    refused(monkeypatch, capsys, folder, 3, ["en_25_train.json: ", *message], "score", *FILES, *more, *OUT)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v["targets"].clear(), ["eval.yaml: ", "no targets"]),
        (lambda v: v["nontargets"].clear(), ["eval.yaml: ", "no other words"]),
        (lambda v: v["targets"].update(fish=["fish/1.wav"]), ["en_25_train.json: ", "without fish, so class numbers"]),
    ],
)
def test_evaluations(change, message, folder, monkeypatch, capsys):
    value = yaml.safe_load((folder / "eval.yaml").read_text())
    change(value)
    (folder / "eval.yaml").write_text(yaml.dump(value))
    refused(monkeypatch, capsys, folder, 3, message, "score", *FILES, *OUT)


def test_a_selection_of_one_class_in_march_2022(folder, monkeypatch, capsys):
    value = json.loads((folder / "en_25_train.json").read_text())
    value["nontargets"], value["targets"] = [], {"bird": value["targets"]["bird"]}
    (folder / "en_25_train.json").write_text(json.dumps(value))
    arguments = ("score", *FILES, "--protocol", "2022-03", "--strict-peer", *OUT)
    refused(monkeypatch, capsys, folder, 3, ["en_25_train.json: ", "two classes or more"], *arguments)


@pytest.mark.parametrize("content", [b"\x89PNG\r\n\x1a\n", b"\n\x05abc", None])
def test_protobuf(content, folder, monkeypatch, capsys):
    for name in ("samples.pb", "eval.pb"):
        (folder / name).write_bytes((folder / name).read_bytes()[:-7] if content is None else content)
    message = ["byte"]
    refused(monkeypatch, capsys, folder, 8, ["samples.pb", *message], "run", "--selector", "random",
            "--input-samples", "samples.pb")  # fmt: skip
    refused(monkeypatch, capsys, folder, 8, ["eval.pb", *message], "score", "--eval-file", "eval.pb", "--train-file",
            "train.npz", *OUT)  # fmt: skip
    refused(monkeypatch, capsys, folder, 8, ["samples.pb", *message], "convert", "samples.pb", "pool")


def test_a_first_generation_train_file_with_pickles_or_without_a_class(folder, monkeypatch, capsys):
    files = ("score", "--eval-file", "eval.pb", "--train-file", "train.npz", *OUT)
    np.savez(folder / "train.npz", train_x=np.array([[None]]), train_y=np.array([1]))
    refused(monkeypatch, capsys, folder, 8, ["train.npz", "never loaded"], *files)
    np.savez(folder / "train.npz", train_x=np.ones((3, 24)), train_y=np.ones(3, int))
    refused(monkeypatch, capsys, folder, 3, ["train.npz", "one of them only"], *files)


def test_vectors_of_other_lengths_in_samples(folder, monkeypatch, capsys):
    samples = pb.read(folder / "eval.pb")
    pb.write(folder / "eval.pb", pb.Samples(samples.ids, samples.types, samples.vectors[:, :-1]))
    message = ["vectors in eval.pb should have 24 numbers", "23 of en/0.wav"]
    files = ("score", "--eval-file", "eval.pb", "--train-file", "train.npz")
    refused(monkeypatch, capsys, folder, 8, message, *files, *OUT)


def test_a_name_longer_than_any_file_system_has(folder, monkeypatch, capsys):
    allowed = folder / "allowed_training_set.yaml"
    allowed.write_text(allowed.read_text().replace("nontargets: [", f"nontargets: [{'b' * 5_000}/1.wav, "))
    refused(monkeypatch, capsys, folder, 3, ["train_embeddings should have bb"], "run", *FILES[1:2], *FILES[3:4])


def test_terminal_escape_sequences_in_files_are_removed(folder, monkeypatch, capsys):
    value = json.loads((folder / "en_25_train.json").read_text())
    value["targets"]["bird"] = ["bird/\x1b]0;owned\x07\x9b31m.wav"]
    (folder / "en_25_train.json").write_text(json.dumps(value))
    refused(monkeypatch, capsys, folder, 3, ["entry 1 is bird/?]0;owned??31m.wav"], "score", *FILES, *OUT)


def test_a_folder_instead_of_a_word_file_is_one_problem_of_several(folder, monkeypatch, capsys):
    (folder / "train_embeddings" / "bird.parquet").unlink()
    (folder / "train_embeddings" / "bird.parquet").mkdir()
    code, out, _ = run(monkeypatch, capsys, "inspect", "train_embeddings", "allowed_training_set.yaml")
    assert code == 3 and "bird.parquet: train_embeddings/bird.parquet should be a parquet file" in " ".join(out.split())


def test_a_target_without_vectors_is_refused(folder, monkeypatch, capsys):
    path = folder / "train_embeddings" / "bird.parquet"
    table = pq.read_table(path)
    pool = ("--selector", "random", *FILES[1:2], *FILES[3:4])
    pq.write_table(table.slice(1), path)
    code, _, err = run(monkeypatch, capsys, "run", *pool, "--outdir", "out")
    assert code == 0 and "warning: train_embeddings/bird.parquet lacks 1 of the clips listed for bird" in err
    pq.write_table(table.slice(0, 0), path)
    message = ["allowed_training_set.yaml should list clips of each target that train_embeddings has", "none of bird"]
    refused(monkeypatch, capsys, folder, 3, message, "run", *pool)
