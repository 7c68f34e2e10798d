"""The reject class of own words: what it is made of, said, always the same, and never leaking between splits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import soundfile

from edgekws.data import dataset, decoding, listing
from edgekws.data.labels import SILENCE, UNKNOWN
from edgekws.data.reject import fragments, noise, recordings, speech
from edgekws.data.reject.vocabulary import WORDS
from edgekws.data.sources import folder
from edgekws.errors import DataError

RATE = LENGTH = 16_000


def quiet(*_):
    pass


def tone(hz, seconds=1.0):
    time = np.arange(int(RATE * seconds)) / RATE
    envelope = np.exp(-(((time - seconds / 2) / 0.15) ** 2))
    return (9_000 * envelope * np.sin(2 * np.pi * hz * time)).astype(np.int16)


def write(path, samples):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, RATE)


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Two words of 12 speakers, without a speech engine."""
    monkeypatch.setattr(speech, "available", lambda: False)
    for number in range(12):
        write(tmp_path / "own" / "ja" / f"s{number}_nohash_0.wav", tone(300 + number))
        write(tmp_path / "own" / "nein" / f"s{number}_nohash_0.wav", tone(900 + number))
    return tmp_path / "own"


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(recordings, "NOISE_CLIPS", 10 * len(noise.KINDS))


def of_label(listed, label, split="train"):
    return [item for item in listed.splits[split] if item.label == label]


def test_own_words_get_a_reject_class_that_says_what_it_is_made_of(own, small, tmp_path):
    listed = folder.scan(own, LENGTH)
    assert listed.labels == ("ja", "nein", SILENCE, UNKNOWN)
    assert all(of_label(listed, label, split) for label in listed.labels for split in listing.SPLITS)
    data = dataset.prepare(listed, tmp_path / "data", RATE, LENGTH, quiet, "folder")
    assert "synthesized noise" in data.reject[SILENCE] and "fragments of your own" in data.reject[UNKNOWN]
    assert any("espeak-ng is not installed" in note for note in data.notes)
    assert any("--speech-commands" in note for note in data.notes)
    assert len(data.noise) == recordings.NOISE_SECONDS * RATE
    again = dataset.prepare(folder.scan(own, LENGTH), tmp_path / "again", RATE, LENGTH, quiet, "folder")
    assert again.sha256 == data.sha256
    calls = []
    dataset.prepare(folder.scan(own, LENGTH), tmp_path / "data", RATE, LENGTH, lambda *call: calls.append(call))
    assert not calls


def test_no_unknown_leaves_the_words_alone(own):
    listed = folder.scan(own, LENGTH, no_unknown=True)
    assert listed.labels == ("ja", "nein") and not listed.reject and listed.make_noise is None
    assert all(item.make is None for items in listed.splits.values() for item in items)


def test_a_fragment_is_in_the_split_of_its_recording(own, small):
    listed = folder.scan(own, LENGTH)
    for split in listing.SPLITS:
        speakers = {item.speaker for item in of_label(listed, "ja", split) + of_label(listed, "nein", split)}
        made = of_label(listed, UNKNOWN, split)
        assert made and {item.speaker for item in made} <= speakers
        for item in made:
            assert {item.make.item.speaker, item.make.other.speaker} <= speakers


def test_her_own_folders_of_the_reject_class_are_used(own, small):
    for number in range(12):
        write(own / UNKNOWN / f"s{number}_nohash_1.wav", tone(2000))
    write(own / listing.NOISE_FOLDER / "fan.wav", np.tile(tone(60), 30))
    listed = folder.scan(own, LENGTH)
    assert listed.labels == ("ja", "nein", SILENCE, UNKNOWN)
    assert "12 recordings in _unknown_" in listed.reject[UNKNOWN]
    assert "windows of your background noises" in listed.reject[SILENCE]
    assert sum(item.make is None for item in of_label(listed, SILENCE)) > 10


@pytest.mark.parametrize("words", [2, 12])
def test_other_words_leave_out_hers_and_share_no_speaker_between_splits(own, small, tmp_path, words):
    for number in range(words):
        for speaker in range(30):
            write(tmp_path / "other" / f"word{number}" / f"t{speaker}_nohash_0.wav", tone(500, 0.05))
    write(tmp_path / "other" / "JA" / "t0_nohash_0.wav", tone(300))
    listed = folder.scan(own, LENGTH, other_words=tmp_path / "other")
    used = {split: [i for i in of_label(listed, UNKNOWN, split) if i.make is None] for split in listing.SPLITS}
    assert all(used.values()) and not any("/JA/" in item.id for items in used.values() for item in items)
    speakers = [{item.speaker for item in items} for items in used.values()]
    assert not speakers[0] & speakers[1] and not speakers[0] & speakers[2] and not speakers[1] & speakers[2]
    if words >= 10:
        spoken = [{item.path.parent.name for item in items} for items in used.values()]
        assert not spoken[0] & spoken[1] and not spoken[0] & spoken[2]


def test_the_noises_of_speech_commands_are_silence_in_every_split(own, small, tmp_path):
    commands = tmp_path / "speech_commands_v0.02"
    for speaker in range(30):
        write(commands / "bed" / f"t{speaker}_nohash_0.wav", tone(500, 0.05))
    write(commands / listing.NOISE_FOLDER / "dishes.wav", np.tile(tone(90), 30))
    listed = folder.scan(own, LENGTH, speech_commands=tmp_path)
    assert "windows of noises of Speech Commands" in listed.reject[SILENCE]
    for split in listing.SPLITS:
        assert any(item.speaker == "dishes" for item in of_label(listed, SILENCE, split))


def test_a_folder_without_other_words_is_refused(own, tmp_path):
    with pytest.raises(DataError, match="should be a folder"):
        folder.scan(own, LENGTH, other_words=tmp_path / "absent")
    with pytest.raises(DataError, match="should hold recordings of other words"):
        (tmp_path / "empty").mkdir()
        folder.scan(own, LENGTH, other_words=tmp_path / "empty")
    write(tmp_path / "sc" / "ja" / "a_nohash_0.wav", tone(300))
    with pytest.raises(DataError, match="other words than yours"):
        folder.scan(own, LENGTH, speech_commands=tmp_path / "sc")


@pytest.mark.parametrize("kind", noise.KINDS)
def test_each_noise_is_the_same_at_every_call_and_another_for_another_seed(kind):
    first, again, other = (noise.make(kind, seed, LENGTH, RATE) for seed in (3, 3, 4))
    assert first.dtype == np.int16 and first.shape == (LENGTH,) and np.array_equal(first, again)
    if kind == "digital silence":
        assert not first.any()
    else:
        assert not np.array_equal(first, other) and np.abs(first.astype(int)).max() < 32_767


@pytest.mark.parametrize("kind", fragments.KINDS)
def test_each_fragment_differs_from_the_word_and_has_its_length(kind):
    clip, other = tone(400), tone(1200)
    made = fragments.make(kind, clip, other, 1, RATE)
    assert made.dtype == np.int16 and made.shape == clip.shape and made.any()
    assert np.mean(np.abs(made.astype(float) - clip)) > 50
    assert np.array_equal(made, fragments.make(kind, clip, other, 1, RATE))
    silent = np.zeros_like(clip)
    assert fragments.make(kind, silent, silent, 1, RATE).shape == clip.shape


def test_the_engine_is_not_asked_to_say_her_words():
    assert len(set(WORDS)) == len(WORDS) > 500
    tracks = speech.tracks(60, ["Snow_boy", "HELLO"])
    assert tracks[:5] == speech.tracks(5, ["Snow_boy", "HELLO"])
    assert not any("hello" in track.words for track in tracks)
    assert any("hello" in track.words for track in speech.tracks(60, []))
    assert len({track.id for track in tracks}) == 60


@pytest.mark.skipif(not speech.available(), reason="espeak-ng is not installed")
def test_words_of_an_engine_are_clips_of_sound(tmp_path):
    part = recordings.said_words(tmp_path, ["ja"])
    items = part.clips["train"]
    first = replace(items[0], label=UNKNOWN)
    one, two = decoding.decode(first, RATE, LENGTH), decoding.decode(items[1], RATE, LENGTH)
    assert one.shape == (LENGTH,) and np.abs(one.astype(int)).max() > 500 and not np.array_equal(one, two)
    assert np.array_equal(one, decoding.decode(first, RATE, LENGTH))
