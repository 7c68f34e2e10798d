"""A run: its output, skipped recordings, recomputation; the same bytes for any number of workers."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile

from edgekws.curate import embed
from edgekws.curate.embed import audio as _audio
from edgekws.curate.embed import runner, store
from edgekws.data import dataset
from edgekws.data.sources import folder
from edgekws.errors import ArtifactError, ConfigError, DataError, EdgeKwsError
from tests.curate.embed.embed_recordings import RATE_HZ, write_noise

LOGGED = """
import os, pathlib
plain = get_scene_embeddings
def get_scene_embeddings(audio, model):
    with (pathlib.Path(__file__).parent / "calls.txt").open("a") as log:
        log.write(f"{len(audio)}\\n")
    return plain(audio, model)
"""


@pytest.fixture
def request_of(words, module, tmp_path):
    def make(**changes):
        return replace(
            embed.Request(words, tmp_path / "out", embed.ModelSpec(module(more=LOGGED)), workers=1), **changes
        )

    return make


@pytest.fixture
def calls(tmp_path):
    """How many clips the model saw since the last time."""

    def count():
        log = tmp_path / "calls.txt"
        clips = sum(map(int, log.read_text().split())) if log.exists() else 0
        log.unlink(missing_ok=True)
        return clips

    return count


def contents(out):
    return {path.name: path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}


def vectors(path):
    table = pq.read_table(path)
    return table["clip_id"].to_pylist(), np.array(table["mswc_embedding_vector"].to_pylist(), np.float32)


def test_a_word_is_a_parquet_file_in_dataperfs_format(words, request_of):
    index = embed.run(request_of())
    table = pq.read_table(index.folder / "up.parquet")
    assert [(field.name, field.type) for field in table.schema] == [
        ("clip_id", pa.string()),
        ("mswc_embedding_vector", pa.list_(pa.float32())),
    ]
    ids, rows = vectors(index.folder / "up.parquet")
    assert ids == [f"up/{number}.wav" for number in range(4)]
    model = embed.open_model(request_of().model)
    for clip, row in zip(ids, rows, strict=True):
        audio = _audio.fitted(*_audio.read(words / clip), RATE_HZ, RATE_HZ)
        assert np.allclose(model.scene(audio[None])[0], row, rtol=1e-6)


def test_the_index_names_model_settings_and_recordings(request_of, words):
    embed.run(request_of())
    (words / "up" / "zero.wav").write_bytes(b"")
    index = embed.run(request_of())
    value = json.loads((index.folder / "index.json").read_text())
    assert (value["kind"], value["version"]) == ("edgekws-embeddings", 1)
    assert value["counts"] == {"words": 3, "clips": 12, "skipped": 1}
    assert value["model"]["dimensions"] == 3 and value["model"]["sample_rate"] == RATE_HZ
    assert len(value["model"]["module_sha256"]) == 64
    assert value["words"]["up"]["skipped"] == [["up/zero.wav", "it should be a recording. Got: an empty file."]]
    assert embed.read_index(index.folder) == index
    assert str(words.parent) not in json.dumps(value)


def test_any_number_of_workers_writes_the_same_bytes(request_of, tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "SHARD_CLIPS", 2)
    settings = embed.Settings(batch=2)
    for workers in (1, 3):
        embed.run(request_of(out=tmp_path / f"out{workers}", workers=workers, settings=settings))
    assert contents(tmp_path / "out1") == contents(tmp_path / "out3")
    assert len(contents(tmp_path / "out1")) == 4


def test_unusable_recordings_are_skipped_with_a_reason(request_of, words):
    (words / "no" / "notes.txt").write_text("not a recording")
    (words / "no" / ".hidden").write_text("")
    (words / "up" / "cut.wav").write_bytes((words / "up" / "0.wav").read_bytes()[:9_000])
    soundfile.write(words / "up" / "quiet.wav", np.zeros(RATE_HZ, np.int16), RATE_HZ)
    for path in (words / "yes").iterdir():
        path.write_bytes(b"RIFF")
    (words / "empty").mkdir()
    (words / "up" / "folder.wav").mkdir()
    (words / "up" / "loop.wav").symlink_to("loop.wav")
    (words / "up" / "nothing.wav").symlink_to("absent.wav")
    os.mkfifo(words / "up" / "pipe.wav")
    (words / "ring").symlink_to("ring")
    (words / "self").symlink_to(".")
    write_noise(words / "no" / "stereo.wav", 3, rate_hz=44_100, channels=2)
    index = embed.run(request_of())
    result = {each.id: each.reason for each in index.skipped}
    assert "it should be a recording (.wav" in result["no/notes.txt"]
    assert "it is cut off" in result["up/cut.wav"]
    assert "silence" in result["up/quiet.wav"]
    assert "unreadable" in result["yes/0.wav"]
    assert not any(str(words) in reason for reason in result.values()), "an index names no folder of this machine"
    assert all("should be a file" in result[f"up/{name}.wav"] for name in ("folder", "loop", "nothing", "pipe"))
    named = [f"{kind}/{name}" for kind in ("no", "up", "yes") for name in sorted(os.listdir(words / kind))]  # noqa: PTH208
    assert {name for name in result if name.partition("/")[0] != "self"} < {*named}
    assert len(result) == 11 + 6
    assert (index.words["yes"].file, index.words["yes"].clips) == ("", 0)
    assert index.words["empty"].clips == 0
    assert not (index.folder / "yes.parquet").exists()
    assert index.words["no"].clips == 5 and index.clips == 9


def test_strict_refuses_one_bad_recording_and_leaves_no_index(request_of, words):
    (words / "up" / "bad.wav").write_bytes(b"")
    with pytest.raises(DataError, match=r"1 without\. up/bad\.wav"):
        embed.run(request_of(strict=True))
    with pytest.raises(ArtifactError):
        embed.read_index(request_of().out)
    embed.run(request_of())
    with pytest.raises(DataError, match="because of --strict"):
        embed.run(request_of(strict=True))
    (words / "up" / "bad.wav").unlink()
    assert embed.run(request_of(strict=True)).clips == 12


def test_a_second_run_computes_only_changed_words(request_of, words, calls):
    embed.run(request_of())
    assert calls() == 12
    before = contents(request_of().out)
    embed.run(request_of())
    assert calls() == 0 and contents(request_of().out) == before
    write_noise(words / "up" / "0.wav", 99)
    write_noise(words / "new" / "0.wav", 98)
    shutil.rmtree(words / "no")
    index = embed.run(request_of())
    assert calls() == 5
    assert sorted(path.name for path in index.folder.iterdir()) == [
        "index.json", "new.parquet", "up.parquet", "yes.parquet",
    ]  # fmt: skip
    fresh = embed.run(request_of(out=request_of().out.parent / "fresh"))
    assert contents(index.folder) == contents(fresh.folder)


def test_a_damaged_file_is_made_again(request_of):
    embed.run(request_of())
    before = contents(request_of().out)
    (request_of().out / "up.parquet").write_bytes(b"PAR1")
    (request_of().out / "no.parquet").unlink()
    embed.run(request_of())
    assert contents(request_of().out) == before


def test_embeddings_of_another_model_are_left_alone(request_of):
    request = request_of()
    embed.run(request)
    before = contents(request.out)
    refusal = "should be empty or hold embeddings of this model"
    with pytest.raises(ConfigError, match=refusal):
        embed.run(replace(request, settings=embed.Settings(clip_ms=500)))
    with Path(request.model.name).open("a") as module:
        module.write("# other code\n")
    with pytest.raises(ConfigError, match=refusal):
        embed.run(request)
    assert contents(request.out) == before


def test_an_unfinished_run_of_another_model_is_removed(request_of, monkeypatch):
    monkeypatch.setattr(store.Store, "finish", lambda *_: pytest.fail("stopped"))
    with pytest.raises(pytest.fail.Exception):
        embed.run(request_of())
    monkeypatch.undo()
    other = request_of(model=embed.ModelSpec("logmel"))
    index = embed.run(other)
    assert all(len(vectors(index.folder / record.file)[1][0]) == 360 for record in index.words.values())


def test_a_truncated_journal_is_valid_up_to_the_damage(request_of, monkeypatch, calls):
    monkeypatch.setattr(store.Store, "finish", lambda *_: pytest.fail("stopped"))
    with pytest.raises(pytest.fail.Exception):
        embed.run(request_of())
    monkeypatch.undo()
    journal = request_of().out / ".work" / "words.jsonl"
    journal.write_text(journal.read_text()[:-9])
    assert calls() == 12
    embed.run(request_of())
    assert calls() == 4
    fresh = embed.run(request_of(out=request_of().out.parent / "fresh"))
    assert contents(request_of().out) == contents(fresh.folder)


def test_nan_is_never_written(request_of, module):
    loud = "torch.where(audio.shape[1] and features(audio)[:, 1:2] > 0.137, float('nan'), features(audio))"
    path = module(("return features(audio)", f"return {loud}"), name="loud")
    index = embed.run(request_of(model=embed.ModelSpec(path)))
    assert 0 < len(index.skipped) < 12 and "NaN or infinity from the model" in index.skipped[0].reason
    for record in index.words.values():
        assert not record.file or np.isfinite(vectors(index.folder / record.file)[1]).all()


def test_a_folder_without_usable_recordings_is_an_error(request_of, words):
    for path in words.glob("*/*.wav"):
        path.write_bytes(b"")
    with pytest.raises(DataError, match="none of 12"):
        embed.run(request_of())
    with pytest.raises(DataError, match="one folder per word"):
        embed.run(request_of(source=words / "up"))
    with pytest.raises(DataError, match="no such folder"):
        embed.run(request_of(source=words / "absent"))


@pytest.mark.parametrize("workers", [1, 2])
def test_a_model_that_breaks_its_contract_is_named(request_of, module, workers):
    path = module(("return features(audio)", "return features(audio)[:, :2]"), name="narrow")
    with pytest.raises(ConfigError, match=r"should give float32 \[4, 3\]\. Got: float32 \[4, 2\]"):
        embed.run(request_of(model=embed.ModelSpec(path), workers=workers))


def test_a_dead_worker_is_reported_and_finished_work_is_kept(request_of, module):
    more = (
        "\nimport os, multiprocessing\nif multiprocessing.parent_process():\n    features = lambda audio: os._exit(9)\n"
    )
    with pytest.raises(EdgeKwsError, match="a worker that was killed"):
        embed.run(request_of(model=embed.ModelSpec(module(more=more, name="dies")), workers=2))


def test_whole_recordings_go_into_batches_of_one_length(request_of, words):
    index = embed.run(request_of(settings=embed.Settings(clip_ms=0, batch=3)))
    model = embed.open_model(request_of().model)
    for record in index.words.values():
        for clip, row in zip(*vectors(index.folder / record.file), strict=True):
            samples, rate = _audio.read(words / clip)
            assert np.allclose(model.scene(_audio.fitted(samples, rate, RATE_HZ, None)[None])[0], row, rtol=1e-5)


@pytest.fixture(scope="module")
def spoken(tmp_path_factory):
    """(word folders, the data set prepared from them)"""
    home = tmp_path_factory.mktemp("spoken")
    for word in ("no", "yes"):
        for clip in range(30):
            write_noise(home / "words" / word / f"{clip}.wav", clip, RATE_HZ)
    listing = folder.scan(home / "words", RATE_HZ, no_unknown=True)
    return home / "words", dataset.prepare(listing, home / "data", RATE_HZ, RATE_HZ, lambda *_: None)


def test_a_prepared_data_set_gives_the_same_vectors_as_its_recordings(spoken, tmp_path):
    """Bit for bit, for whole seconds (a data set centres shorter ones): vectors are integers times a scale."""
    root, data = spoken
    spec = embed.ModelSpec("dscnn")
    whole = embed.run(embed.Request(root, tmp_path / "whole", spec, workers=1))
    split = embed.run(embed.Request(data.folder, tmp_path / "split", spec, split="test", workers=1))
    assert split.clips == len(data.splits["test"]) and split.words.keys() <= whole.words.keys()
    for word, record in split.words.items():
        every = dict(zip(*vectors(whole.folder / f"{word}.parquet"), strict=True))
        for clip, row in zip(*vectors(split.folder / record.file), strict=True):
            assert (row == every[clip]).all()


def test_an_unknown_split_is_refused(request_of, spoken):
    with pytest.raises(DataError, match="a split belongs to a prepared data set"):
        embed.run(request_of(split="train"))
    with pytest.raises(DataError, match="should be one of train, validation, test"):
        embed.run(request_of(source=spoken[1].folder, split="dev"))


def test_a_folder_name_that_is_not_utf_8_is_skipped(request_of, words):
    os.rename(os.fsencode(words / "up"), os.fsencode(words) + b"/\xff")  # noqa: PTH104
    index = embed.run(request_of())
    assert index.clips == 8 and len(index.skipped) == 4
    assert embed.run(request_of()) == index == embed.read_index(index.folder)


@pytest.mark.parametrize(
    "change",
    [
        lambda index: index.update(version=2),
        lambda index: index.pop("key"),
        lambda index: index.update(words=[]),
        lambda index: index["model"].update(dimensions="3"),
        lambda index: index["words"].update(up={}),
        lambda index: index["words"]["up"].update(skipped=[["up/0.wav"]]),
        lambda index: index["words"]["up"].update(file="../words/up/0.wav"),
        lambda index: index["words"]["up"].update(word="../words", file="../words.parquet"),
        lambda index: index["words"]["up"].update(word="no", file="no.parquet"),
    ],
)
def test_a_foreign_index_is_refused_and_nothing_is_changed(request_of, words, change):
    index = embed.run(request_of())
    path = index.folder / "index.json"
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))
    before = contents(words.parent)
    with pytest.raises(ArtifactError):
        embed.run(request_of())
    assert contents(words.parent) == before


def test_a_file_name_that_is_not_utf_8_is_skipped(request_of, words):
    os.rename(os.fsencode(words / "up" / "0.wav"), os.fsencode(words / "up") + b"/\xff.wav")  # noqa: PTH104
    (named,) = embed.run(request_of()).skipped
    assert named.reason == "its name should be UTF-8" and "udcff" in named.id


def test_a_second_run_at_the_same_time_is_refused(request_of, words):
    """The second begins from within the first, by its report of progress."""
    refused = []

    def meanwhile(*_):
        with pytest.raises(ConfigError, match="another run is working") as caught:
            embed.run(request_of())
        refused.append(caught.value)

    assert embed.run(request_of(), meanwhile).clips == 12
    assert len(refused) == 3


def test_an_output_folder_among_the_recordings_is_refused(request_of, words):
    with pytest.raises(ConfigError, match="should be outside of"):
        embed.run(request_of(out=words / "embeddings"))
    assert not (words / "embeddings").exists()


def test_an_unknown_engine_is_refused_first(request_of, words):
    embed.run(request_of())
    (words / "up" / "0.wav").unlink()
    before = contents(request_of().out)
    with pytest.raises(ConfigError, match=r"spark is not known. There are: process, ray"):
        embed.run(request_of(engine="spark"))
    assert contents(request_of().out) == before


def test_a_folder_that_cannot_be_written_is_named(request_of, tmp_path):
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file", tmp_path / "file" / "out"):
        with pytest.raises(ArtifactError, match="could not be written"):
            embed.run(request_of(out=out))


def test_a_full_disk_is_reported_and_the_run_continues_later(request_of, monkeypatch, calls):
    """Full while the second word is noted down: half a line of the journal is left, and the word is done again."""
    plain, written = json.dumps, []

    def full(value, **options):
        if "clips" in value and "stamp" in value:
            written.append(value)
            if len(written) == 2:
                with (request_of().out / ".work" / "words.jsonl").open("a") as journal:
                    journal.write(plain(value)[:20])
                raise OSError(28, "No space left on device")
        return plain(value, **options)

    monkeypatch.setattr(store.json, "dumps", full)
    with pytest.raises(ArtifactError, match="No space left on device"):
        embed.run(request_of())
    monkeypatch.undo()
    assert calls() == 8
    embed.run(request_of())
    assert calls() == 4, "what was embedded is still there as a part"
    fresh = embed.run(request_of(out=request_of().out.parent / "fresh"))
    assert contents(request_of().out) == contents(fresh.folder)


def test_impossible_settings_are_refused(request_of):
    with pytest.raises(ConfigError, match="batches 1 clip or more"):
        embed.Settings(batch=0)
    with pytest.raises(ConfigError, match="workers should be"):
        embed.run(request_of(workers=-1))


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_recording_is_named(request_of, words):
    Path(words / "up" / "0.wav").chmod(0)
    assert "Permission denied" in embed.run(request_of()).skipped[0].reason
