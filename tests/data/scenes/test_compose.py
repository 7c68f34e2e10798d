"""Composed streams: the same for the same seed, with words where they are said to be."""

import numpy as np
import pytest

from edgekws.data.scenes import recordings, rooms, words
from edgekws.data.scenes.compose import Composer, ComposeSpec, Sources
from edgekws.data.scenes.context import in_context

RATE_HZ = 16_000


@pytest.fixture
def sources():
    rng = np.random.default_rng(0)
    clips = (rng.standard_normal((12, RATE_HZ)) * 20).astype(np.int16)
    clips[:, 6_000:12_000] += (8_000 * np.sin(np.arange(6_000) * 0.3)).astype(np.int16)
    noise = recordings.joined([(rng.standard_normal(20_000) * 500).astype(np.int16) for _ in range(3)])
    found = words.located(clips, np.arange(12) % 3, RATE_HZ)
    return Sources(found, (0, 1), noise, noise, [np.array([0, 900, 300, 100], np.int16)], RATE_HZ)


def test_words_are_found_where_they_are_loud(sources):
    assert np.abs(sources.words.starts - 6_000).max() <= 320 and np.abs(sources.words.ends - 12_000).max() <= 320


def test_a_noisy_clip_has_a_word_of_less_than_a_second():
    clip = np.random.default_rng(1).standard_normal(RATE_HZ) * 1_500
    clip[5_000:9_000] *= 4
    starts, ends = words.bounds(clip.astype(np.int16)[None], RATE_HZ)
    assert abs(int(starts[0]) - 5_000) < 800 and abs(int(ends[0]) - 9_000) < 800


def test_a_stream_depends_on_the_seed_alone(sources):
    composer = Composer(ComposeSpec(), sources)
    one, other = (composer.compose(5 * RATE_HZ, np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(one.samples, other.samples) and one.heard == other.heard
    assert one.samples.dtype == np.int16 and len(one.samples) == 5 * RATE_HZ


def test_keywords_are_louder_than_what_is_around_them(sources):
    spec = ComposeSpec(
        keyword=1, other_word=0, part=0, splice=0, speech=0, dense=0, speech_scenes=0, noise_scenes=0, quiet=1, room=0
    )
    stream = Composer(spec, sources).compose(30 * RATE_HZ, np.random.default_rng(1))
    assert len(stream.heard) > 8 and {each.label for each in stream.heard} == {0, 1}
    inside = np.zeros(len(stream.samples), bool)
    for each in stream.heard:
        inside[each.start - 400 : each.stop + 400] = True
    level = np.abs(stream.samples.astype(int))
    assert level[~inside].mean() < 0.1 * level[inside].mean()


def test_all_kinds_of_units_and_scenes_can_be_switched_off(sources):
    quiet = ComposeSpec(speech_scenes=0, noise_scenes=1)
    assert Composer(quiet, sources).compose(8 * RATE_HZ, np.random.default_rng(0)).heard == ()
    speech = ComposeSpec(speech_scenes=1, noise_scenes=0)
    heard = Composer(speech, sources).compose(8 * RATE_HZ, np.random.default_rng(0)).heard
    assert heard and {each.label for each in heard} == {None}


def test_a_room_begins_with_the_direct_sound(sources):
    rng = np.random.default_rng(2)
    for response in (rooms.drawn(RATE_HZ, rng), rooms.varied(sources.rooms[0], RATE_HZ, rng)):
        click = np.zeros(8_000, np.float32)
        click[1_000] = 1
        assert int(np.abs(rooms.heard_in(response, click)).argmax()) == 1_000


def test_a_short_clip_is_put_into_its_own_silence(sources):
    clips = np.asarray(sources.words.samples)
    wide = in_context(clips, 23_840)
    assert np.array_equal(wide[:, 5_488:21_488], clips)
    around = np.concatenate([wide[:, :5_488], wide[:, 21_488:]], axis=1).std(axis=1)
    assert (around > 10).all() and (around < 30).all()
    assert in_context(clips, RATE_HZ) is clips


def test_a_piece_comes_from_one_recording():
    joined = recordings.joined([np.full(100, 1, np.int16), np.full(300, 2, np.int16)])
    rng = np.random.default_rng(0)
    pieces = [joined.piece(150, rng) for _ in range(20)]
    assert all(len(np.unique(piece)) == 1 and len(piece) == 150 for piece in pieces)
