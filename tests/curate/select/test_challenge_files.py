"""Pools and selections in the challenge's file formats, both generations."""

import numpy as np
import pytest

from edgekws.curate.dataperf.formats import lists, npz, pb, words
from edgekws.curate.select import files
from edgekws.curate.select.run import run
from edgekws.errors import DataError
from tests.curate.select.pools import pool

pytest.importorskip("pyarrow")


@pytest.fixture
def folder(tmp_path):
    clips = pool(each=12)
    (tmp_path / "train_embeddings").mkdir()
    for word in dict.fromkeys(clips.words):
        rows = [row for row, spoken in enumerate(clips.words) if spoken == word]
        path = tmp_path / "train_embeddings" / f"{word}.parquet"
        words.write(path, [clips.ids[row] for row in rows], clips.vectors[rows])
    targets = {word: tuple(name for name in clips.ids if name.startswith(word)) for word in clips.targets}
    others = tuple(name for name in clips.ids if not name.startswith(clips.targets))
    lists.write_yaml(tmp_path / "allowed_training_set.yaml", lists.IdLists(targets, (*others, others[0])))
    return tmp_path


def test_a_pool_is_read_back_with_each_clip_once(folder):
    loaded, clips = files.read_pool(folder / "allowed_training_set.yaml", folder / "train_embeddings"), pool(each=12)
    assert loaded.targets == clips.targets and set(loaded.ids) == set(clips.ids) and len(loaded.ids) == len(clips.ids)
    order = [clips.ids.index(name) for name in loaded.ids]
    assert np.array_equal(loaded.vectors, clips.vectors[order]) and loaded.vectors.dtype == np.float32
    assert np.array_equal(loaded.classes, clips.classes[order])
    assert loaded.words == tuple(clips.words[row] for row in order)


def test_an_id_in_two_classes_is_refused(folder):
    path = folder / "allowed_training_set.yaml"
    listed = lists.read(path)
    lists.write_yaml(path, lists.IdLists(listed.targets, (*listed.nontargets, listed.targets["stop"][0])))
    with pytest.raises(DataError, match=r"one class only.*stop/clip_0000"):
        files.read_pool(path, folder / "train_embeddings")


def test_a_selection_is_read_back(folder):
    loaded = run(
        "proxy_exchange", files.read_pool(folder / "allowed_training_set.yaml", folder / "train_embeddings"), 12, 0
    )
    files.write_selection(loaded, folder / "en_12_train.json")
    again = lists.read(folder / "en_12_train.json")
    assert again.targets == loaded.targets and again.nontargets == loaded.nontargets


def test_the_first_generation_keeps_the_order_of_selection(tmp_path):
    clips = pool(each=12)
    kinds = np.where(clips.classes < 0, pb.NONTARGET, pb.TARGET).astype(np.int8)
    names = tuple(f"en/clips/{name}" for name in clips.ids)
    pb.write(tmp_path / "samples.pb", pb.Samples(names, kinds, clips.vectors))
    loaded = files.read_samples(tmp_path / "samples.pb")
    chosen = run("facility", loaded, 20, 0)
    files.write_train_npz(chosen, loaded, tmp_path / "train.npz")
    training = npz.read(tmp_path / "train.npz")
    first = loaded.ids.index(chosen.targets["target"][0])
    assert np.array_equal(training.x[0], clips.vectors[first].astype(np.float64))
    assert training.y.tolist() == [1] * len(chosen.targets["target"]) + [0] * len(chosen.nontargets)
    assert loaded.words[0] == "stop"
