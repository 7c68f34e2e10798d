"""Recordings to a prepared data set: the official split, and every kind of bad recording."""

import json
from dataclasses import replace

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from edgekws.data import dataset, decoding, download, listing
from edgekws.data.sources import folder, speech_commands
from edgekws.errors import ArtifactError, DataError

RATE, LENGTH = 16_000, 16_000


def quiet(*_):
    pass


def word_set(root, words=("alpha", "beta"), speakers=40):
    rng = np.random.default_rng(0)
    for word in words:
        for speaker in range(speakers):
            path = root / word / f"s{speaker:02d}_nohash_0.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, rng.integers(-3000, 3000, 9_000).astype(np.int16), RATE)
    return root


def exact(listed):
    """The same recordings, which must be mono of the data set's rate, as those of Speech Commands must."""
    splits = {name: tuple(replace(item, convert=False) for item in items) for name, items in listed.splits.items()}
    return replace(listed, splits=splits)


def test_split_follows_the_lists_and_the_reference_order(recordings, prepared):
    assert " ".join(prepared.labels) == "down go left no off on right stop up yes _silence_ _unknown_"
    validation = set((recordings / speech_commands.MAIN / "validation_list.txt").read_text().split())
    for split in ("train", "validation"):
        spoken = [name for name in prepared.splits[split].ids if "@" not in name]
        assert spoken and all((name in validation) == (split == "validation") for name in spoken)
    silence = [name for name in prepared.splits["validation"].ids if "@" in name]
    assert silence and all("running_tap" in name for name in silence)


def test_no_speaker_of_a_folder_is_in_two_splits(tmp_path):
    listed = folder.scan(word_set(tmp_path), LENGTH, no_unknown=True)
    speakers = [{item.speaker for item in listed.splits[split]} for split in listing.SPLITS]
    assert not speakers[0] & speakers[1] and not speakers[0] & speakers[2] and not speakers[1] & speakers[2]


def test_prepared_samples_are_those_of_the_files(tmp_path):
    root = word_set(tmp_path / "in")
    listed = folder.scan(root, LENGTH, no_unknown=True)
    data = dataset.prepare(listed, tmp_path / "out", RATE, LENGTH, quiet)
    clip = data.clip("test", 0)
    samples, _ = soundfile.read(root / clip.id, dtype="int16")
    start = (LENGTH - len(samples)) // 2  # in the middle
    assert np.array_equal(clip.samples[start : start + len(samples)], samples)
    assert not clip.samples[:start].any() and not clip.samples[start + len(samples) :].any()
    dataset.verify(data)


def test_same_recordings_give_the_same_hash_and_are_not_decoded_again(tmp_path):
    listed = folder.scan(word_set(tmp_path / "in"), LENGTH, no_unknown=True)
    first = dataset.prepare(listed, tmp_path / "a", RATE, LENGTH, quiet)
    second = dataset.prepare(listed, tmp_path / "b", RATE, LENGTH, quiet)
    assert first.sha256 == second.sha256
    calls = []
    dataset.prepare(listed, tmp_path / "a", RATE, LENGTH, lambda *call: calls.append(call))
    assert not calls


@pytest.mark.parametrize(
    ("samples", "rate", "message"),
    [
        (np.zeros(4_000, np.int16), 8_000, "8000 Hz"),
        (np.zeros((16_000, 2), np.int16), 16_000, "2 channels"),
        (np.zeros(0, np.int16), 16_000, "0 samples"),
    ],
)
def test_a_bad_recording_is_named_and_nothing_is_lost(tmp_path, samples, rate, message):
    root = word_set(tmp_path / "in")
    before = dataset.prepare(exact(folder.scan(root, LENGTH, no_unknown=True)), tmp_path / "out", RATE, LENGTH, quiet)
    bad = root / "alpha" / "bad.wav"
    soundfile.write(bad, samples, rate)
    listed = exact(folder.scan(word_set(tmp_path / "in"), LENGTH, no_unknown=True))
    train = (*listed.splits["train"], listing.Recording("alpha/bad.wav", "alpha", "bad", bad))
    listed = replace(listed, splits={**listed.splits, "train": train})
    with pytest.raises(DataError, match=message) as caught:
        dataset.prepare(listed, tmp_path / "out", RATE, LENGTH, quiet)
    assert "bad.wav" in str(caught.value)
    after = dataset.load(tmp_path / "out")
    assert after.sha256 == before.sha256
    dataset.verify(after)


def test_new_recordings_replace_the_old_ones_and_leave_no_files_behind(tmp_path):
    root = word_set(tmp_path / "in")
    before = dataset.prepare(folder.scan(root, LENGTH, no_unknown=True), tmp_path / "out", RATE, LENGTH, quiet)
    word_set(tmp_path / "in", words=("gamma",))
    after = dataset.prepare(folder.scan(root, LENGTH, no_unknown=True), tmp_path / "out", RATE, LENGTH, quiet)
    assert after.sha256 != before.sha256 and len(after.labels) == 3
    assert len(list((tmp_path / "out").iterdir())) == 5  # the index, three splits, the noise
    dataset.verify(after)


def test_noise_is_pinned_and_its_windows_are_in_one_split_only(tmp_path):
    root = word_set(tmp_path / "in")
    noise = np.random.default_rng(1).integers(-900, 900, 60 * RATE).astype(np.int16)
    (root / listing.NOISE_FOLDER).mkdir()
    soundfile.write(root / listing.NOISE_FOLDER / "hum.wav", noise, RATE)
    listed = folder.scan(root, LENGTH, no_unknown=True)
    ends = {}
    for split in listing.SPLITS:
        starts = [item.start for item in listed.splits[split] if item.start is not None]
        assert len(starts) > 5
        ends[split] = (min(starts), max(starts) + LENGTH)
    assert ends["train"][1] <= ends["validation"][0] and ends["validation"][1] <= ends["test"][0]
    quieter = root / listing.NOISE_FOLDER / "hum.wav"
    before = dataset.prepare(listed, tmp_path / "out", RATE, LENGTH, quiet)
    soundfile.write(quieter, noise // 2, RATE)
    after = dataset.prepare(folder.scan(root, LENGTH, no_unknown=True), tmp_path / "out", RATE, LENGTH, quiet)
    assert before.noise_sha256 != after.noise_sha256 and before.sha256 != after.sha256


def test_several_bad_recordings_are_all_counted(tmp_path):
    root = word_set(tmp_path)
    for number in range(7):
        (root / "alpha" / f"text{number}.wav").write_text("not a recording")
    with pytest.raises(DataError, match="7 are not"):
        listed = folder.scan(word_set(tmp_path / "good"), LENGTH, no_unknown=True)
        bad = (listing.recording(path, "alpha", root) for path in (root / "alpha").glob("text*.wav"))
        everything = (*listed.splits["train"], *bad)
        one_split = listing.Listing("x", listed.labels, dict.fromkeys(listing.SPLITS, everything))
        dataset.prepare(one_split, tmp_path / "out", RATE, LENGTH, quiet)


def test_missing_and_empty_folders(tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        speech_commands.scan(tmp_path / "nowhere", LENGTH)
    (tmp_path / "alpha").mkdir()
    with pytest.raises(DataError, match="alpha"):
        folder.scan(tmp_path, LENGTH, no_unknown=True)
    with pytest.raises(DataError, match="no down"):
        speech_commands.scan(word_set(tmp_path), LENGTH)


def test_a_prepared_set_that_was_changed_is_refused(tmp_path):
    listed = folder.scan(word_set(tmp_path / "in"), LENGTH, no_unknown=True)
    data = dataset.prepare(listed, tmp_path / "out", RATE, LENGTH, quiet)
    (path,) = (tmp_path / "out").glob("train-*.npy")
    array = np.load(path)
    array[0, 0] += 1
    np.save(path, array)
    with pytest.raises(ArtifactError, match="hash"):
        dataset.verify(data)
    index = json.loads((tmp_path / "out" / "index.json").read_text())
    index["splits"]["train"]["labels"][0] ^= 1
    (tmp_path / "out" / "index.json").write_text(json.dumps(index))
    with pytest.raises(ArtifactError, match="own hash"):
        dataset.load(tmp_path / "out")
    (tmp_path / "out" / "index.json").write_text('{"kind": "edgekws-dataset", "version": 99}')
    with pytest.raises(ArtifactError, match="version 99"):
        dataset.load(tmp_path / "out")


@given(st.integers(1, 40_000), st.integers(0, 2**32 - 1))
def test_every_length_becomes_one_second_that_holds_the_loudest_part(tmp_path_factory, length, seed):
    path = tmp_path_factory.mktemp("clip") / "x.wav"
    samples = np.random.default_rng(seed).integers(-100, 100, length).astype(np.int16)
    peak = seed % length
    samples[peak] = 30_000
    soundfile.write(path, samples, RATE)
    clip = decoding.decode(listing.Recording("x", "x", "x", path), RATE, LENGTH)
    assert clip.shape == (LENGTH,) and clip.max() == 30_000


def test_the_folder_that_torchaudio_downloads_is_found(recordings, tmp_path):
    """torchaudio.datasets.SPEECHCOMMANDS(root) makes root/SpeechCommands/speech_commands_v0.02."""
    (tmp_path / "SpeechCommands").symlink_to(recordings)
    assert speech_commands.is_here(tmp_path)
    listed, direct = (speech_commands.scan(root, LENGTH) for root in (tmp_path, recordings / download.MAIN))
    assert [item.id for item in listed.splits["train"]] == [item.id for item in direct.splits["train"]]
