"""Clips that do not say the phrase are refused, with the reason, by engine."""

import numpy as np

from edgekws.data.phrase import judge
from edgekws.data.phrase.bank import EMPTY, Bank, load

RATE_HZ = 16_000


def word(rng, seconds=0.6, order=(0, 1, 2)):
    """Three vowels, each of two formants, of a slightly different length each time."""
    formants = ((700, 1200), (300, 2300), (400, 900))
    pieces = []
    for number in order:
        time = np.arange(int(seconds / 3 * rng.uniform(0.9, 1.1) * RATE_HZ)) / RATE_HZ
        pieces.append(sum(np.sin(2 * np.pi * hz * rng.uniform(0.98, 1.02) * time) for hz in formants[number]))
    sound = np.concatenate(pieces) + 0.01 * rng.normal(size=sum(map(len, pieces)))
    return (sound * 6000).astype(np.int16)


def clips():
    rng = np.random.default_rng(0)
    engines = ["one/a"] * 10 + ["two/b"] * 10
    said = [word(rng) for _ in engines]
    said[3] = word(rng, order=(2, 1, 0))
    said[5] = word(rng, seconds=1.8)
    said[12] = np.clip(word(rng).astype(int) * 8, -32768, 32767).astype(np.int16)
    return Bank(tuple(said), tuple(engines))


def test_misreadings_are_refused_by_agreement():
    judged = judge.judged(clips(), EMPTY, RATE_HZ)
    assert judged.said == {"one": 10, "two": 10}
    assert judged.refused == {"one": {judge.DISTANT: 1, judge.LENGTH: 1}, "two": {judge.CLIPPED: 1}}
    assert len(judged.kept) == 17


def test_recordings_decide_where_there_are_enough():
    rng = np.random.default_rng(1)
    recordings = Bank(tuple(word(rng) for _ in range(6)), ("recording",) * 6)
    assert judge.judged(clips(), recordings, RATE_HZ).refused["one"][judge.DISTANT] == 1


def test_the_clips_of_one_engine_are_compared_by_voice():
    rng = np.random.default_rng(2)
    bank = Bank(tuple(word(rng) for _ in range(8)), tuple(f"one/{number % 4}" for number in range(8)))
    assert len(judge.judged(bank, EMPTY, RATE_HZ).kept) >= 7
    assert len(judge.judged(EMPTY, EMPTY, RATE_HZ).kept) == 0


def test_warping_ignores_tempo():
    rng = np.random.default_rng(0)
    shape = rng.normal(size=(1, 32, 4)).astype(np.float32)
    later = np.concatenate([shape[:, :1], shape[:, :1], shape[:, :30]], axis=1)
    assert judge.warped(shape, later)[0, 0] < 0.3 * judge.warped(shape, shape[:, ::-1])[0, 0]


def test_a_bank_is_read_as_it_was_written(tmp_path):
    bank = clips()
    bank.save(tmp_path / "bank.npz")
    again = load(tmp_path / "bank.npz")
    assert again.names == bank.names
    assert all(np.array_equal(one, two) for one, two in zip(again.clips, bank.clips, strict=True))
    EMPTY.save(tmp_path / "empty.npz")
    assert len(load(tmp_path / "empty.npz")) == 0
