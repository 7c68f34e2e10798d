"""Each method against a slow and simple reference implementation."""

import numpy as np
import pytest

from edgekws.curate.shards import build, confidence, greedy
from edgekws.curate.shards.arithmetic import GRID, grid_norms, inverse_norms, quantize, similarities
from edgekws.curate.shards.methods import balanced, facility, filtered, kcenter, random
from edgekws.curate.shards.methods import confidence as confident
from edgekws.curate.shards.store import Layout
from edgekws.curate.workers import process
from tests.curate.shards.clips import SMALL, clips, run_of, shard, silent


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("methods")
    ids, vectors = clips(500, seed=3)
    with process.start(1) as engine:
        store = build.build(shard(folder / "d", ids, vectors, 2), folder / "w", engine, SMALL, silent)
        yield store, engine, dict(zip(ids, vectors, strict=True))


@pytest.fixture
def run(home, tmp_path):
    store, engine, _ = home
    return run_of(store, engine, tmp_path / "run")


def all_cosines(store):
    """float32 [n, n] in the arithmetic of the package, row by row."""
    rows = store.vectors(np.arange(store.rows)).astype(np.float32)
    inverse = inverse_norms(rows)
    return np.stack([((rows @ centre) * scale) * inverse for centre, scale in zip(rows, inverse, strict=True)]).T


@pytest.mark.parametrize("cached_rows", [1, 7, 64, 10_000])
def test_k_center_equals_greedy_with_one_pass_per_clip(home, tmp_path, cached_rows):
    store, engine, _ = home
    similar = all_cosines(store)
    run = run_of(store, engine, tmp_path / "run", cached_rows)
    picks = kcenter.choose(run, 60, 4)
    expected = [int(np.argmin(random.keys(run, 4)))]
    state = similar[:, expected[0]].copy()
    state[expected[0]] = np.inf
    for _ in range(59):
        expected.append(int(np.argmin(state)))
        state = np.maximum(state, similar[:, expected[-1]])
        state[expected] = np.inf
    assert picks.rows.tolist() == expected
    assert picks.value == pytest.approx(float(state.min()), abs=0)
    assert run.counts["passes"] <= (60 if cached_rows == 1 else 40)
    if cached_rows == 10_000:
        assert run.counts["passes"] == 2


def test_k_center_ends_for_equal_clips_and_for_all_clips(home, tmp_path):
    store, engine, _ = home
    assert sorted(kcenter.choose(run_of(store, engine, tmp_path / "all", 16), 500, 0).rows) == list(range(500))
    ids, vectors = clips(100)
    vectors[:] = vectors[0]
    with process.start(1) as inline:
        same = build.build(shard(tmp_path / "d", ids, vectors), tmp_path / "w", inline, SMALL, silent)
    picks = kcenter.choose(run_of(same, engine, tmp_path / "same", 4), 20, 0)
    assert len(set(picks.rows.tolist())) == 20


def test_integers_cover_as_well_as_floats(home, run):
    """The covering radius of the selection, measured on float vectors, against that of greedy on floats."""
    store, _, vectors = home
    floats = np.stack([vectors[name] for name in store.ids(np.arange(store.rows))]).astype(np.float64)
    floats /= np.linalg.norm(floats, axis=1, keepdims=True)
    picks = kcenter.choose(run, 40, 0)
    chosen = [int(picks.rows[0])]
    while len(chosen) < 40:
        chosen.append(int(np.argmin((floats @ floats[chosen].T).max(axis=1))))
    radius = [np.arccos(np.clip((floats @ floats[rows].T).max(axis=1), -1, 1)).max() for rows in (picks.rows, chosen)]
    assert radius[0] < radius[1] * 1.03


def reference_greedy(similar, weights, count):
    """similar: int64 [candidates, clips]"""
    best = np.full(similar.shape[1], -GRID, np.int64)
    picks = []
    for _ in range(count):
        gains = (np.maximum(similar, best) - best) @ weights
        gains[picks] = -1
        picks.append(int(np.argmax(gains)))
        best = np.maximum(best, similar[picks[-1]])
    return picks, int(best @ weights)


@pytest.mark.parametrize("stored", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_lazy_greedy_equals_greedy(stored, seed):
    rng = np.random.default_rng(seed)
    rows = quantize(clips(150, 16, seed=seed)[1]).astype(np.float32)
    rows[70:80] = rows[60:70]  # equal gains: the first must win
    weights = rng.integers(1, 1000, 150)
    result = greedy.summarize(rows, weights, 25, stored)
    similar = similarities(rows, rows, grid_norms(rows), grid_norms(rows)).astype(np.int64)
    expected, _ = reference_greedy(similar, weights, 25)
    assert result.picks.tolist() == expected
    nearest = similar[expected].argmax(axis=0)
    assert result.weights.sum() == weights.sum()
    assert (result.weights == np.bincount(nearest, weights, minlength=25)).all()


def test_small_data_are_selected_by_exact_greedy(home, run):
    store, _, _ = home
    similar = np.rint(all_cosines(store) * np.float32(GRID)).astype(np.int64)
    _, value = reference_greedy(similar.T, np.ones(store.rows, np.int64), 30)
    picks = facility.choose(run, 30, 0)
    assert picks.value == pytest.approx(value / GRID / store.rows, rel=1e-4)
    assert picks.weights.sum() == store.rows


def test_stages_keep_most_of_the_gain_of_exact_greedy(tmp_path, monkeypatch):
    """Of the gain of exact greedy over a random selection, the stages keep at least 85 %."""
    layout, allowed = Layout(1024, 256), np.ones(2000, bool)
    folder = shard(tmp_path / "d", *clips(2000, 32, words=60), 2, group_rows=500)
    with process.start(1) as engine:
        store = build.build(folder, tmp_path / "w", engine, layout, silent)
        whole = facility.choose(run_of(store, engine, tmp_path / "whole"), 40, 0)
        monkeypatch.setattr(greedy, "FINAL_CLIPS", 400)
        run = run_of(store, engine, tmp_path / "stages")
        staged = facility.choose(run, 40, 0)
        at_random = facility._evaluate(run_of(store, engine, tmp_path / "r"), allowed, random.choose(run, 40, 0).rows)[
            0
        ]
    assert 300 < run.counts["candidates"] <= 400
    assert whole.value > staged.value > at_random + 0.85 * (whole.value - at_random)


def test_balanced_takes_equal_shares_and_all_clips_of_small_words(home, run):
    store, _, _ = home
    words = balanced.words_of(run)
    picks = balanced.choose(run, 120, 1)
    have, took = np.bincount(words), np.bincount(words[picks.rows], minlength=len(store.words))
    assert took.sum() == 120
    limit = took.max()
    assert all(count in (limit, limit - 1) or count == there for count, there in zip(took, have, strict=True))
    assert picks.rows.tolist() != balanced.choose(run, 120, 2).rows.tolist()


def test_random_selects_every_clip_equally_often(home, run):
    drawn = np.zeros(500)
    for seed in range(200):
        drawn[random.choose(run, 50, seed).rows] += 1
    assert drawn.sum() == 200 * 50
    assert 3 < drawn.min() < drawn.max() < 40  # binomial: 20 +- 4.2


def test_sums_of_words_merge_in_any_order(home):
    store, _, _ = home
    parts = [confidence.sums_of_part(confidence._Task(store, part)) for part in range(len(store.parts))]
    left, right = parts[0], parts[-1]
    for part in parts[1:]:
        left = confidence.merge(left, part)
    for part in parts[-2::-1]:
        right = confidence.merge(part, right)
    assert all((left[name] == right[name]).all() for name in left)
    rows = store.vectors(np.arange(store.rows)).astype(np.int64)
    assert (left["sums"].sum(axis=0) == rows.sum(axis=0)).all()


def test_margins_use_means_without_the_clips_own_fold(home, run):
    store, _, _ = home
    result = confidence.margins(run)
    rows = store.vectors(np.arange(store.rows)).astype(np.float64)
    words = balanced.words_of(run)
    fold = confidence.folds(np.concatenate([store.places(part) for part in range(len(store.parts))]))
    for row in range(0, store.rows, 9):
        there = fold != fold[row]
        means = [rows[there & (words == word)].sum(axis=0) for word in range(len(store.words))]
        cosine = [mean @ rows[row] / np.linalg.norm(mean) / np.linalg.norm(rows[row]) for mean in means]
        own = cosine.pop(words[row])
        assert result[row] == pytest.approx(own - max(cosine), abs=0.02)


def test_wrong_labels_have_the_lowest_confidence_and_are_filtered(tmp_path):
    ids, vectors = clips(600, 48, words=4, seed=8)
    wrong = {f"word{(int(ids[i][4]) + 1) % 4}/wrong{i}.wav": i for i in range(0, 600, 12)}
    names = [next((name for name, at in wrong.items() if at == i), ids[i]) for i in range(600)]
    with process.start(1) as engine:
        store = build.build(shard(tmp_path / "d", names, vectors), tmp_path / "w", engine, SMALL, silent)
        run = run_of(store, engine, tmp_path / "run")
        chosen = [store.ids(method.choose(run, 80, 0).rows) for method in (confident, filtered)]
        margin = confidence.margins(run)
    worst = store.ids(np.argsort(margin)[:60])
    assert len(set(worst) & set(wrong)) >= 0.8 * len(wrong)
    assert not [name for names in chosen for name in names if name in wrong]


def test_the_most_confident_half_of_each_word_is_kept():
    words = np.array([0, 0, 0, 1, 1, 2])
    margin = np.array([0.1, 0.3, 0.2, -1, 5, confidence.UNKNOWN], np.float32)
    assert filtered.most_confident_half(words, margin).tolist() == [False, True, True, False, True, True]


def test_a_word_with_one_clip_has_unknown_confidence(tmp_path):
    ids, vectors = clips(80)
    ids[5] = "lonely/clip.wav"
    with process.start(1) as engine:
        store = build.build(shard(tmp_path / "d", ids, vectors), tmp_path / "w", engine, SMALL, silent)
        margin = confidence.margins(run_of(store, engine, tmp_path / "run"))
    row = store.ids(np.arange(80)).index("lonely/clip.wav")
    assert margin[row] == confidence.UNKNOWN
    assert (margin > confidence.UNKNOWN).sum() >= 75
