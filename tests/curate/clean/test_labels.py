"""Wrong labels: confident learning by hand, probes that do not see a clip's own label, and the ranking's bar."""

import json
from dataclasses import replace

import numpy as np
import pytest

from edgekws.curate.clean import labels, probe, rank
from edgekws.curate.clean.probe import ProbePlan
from edgekws.errors import ArtifactError, ConfigError, DataError
from tests.curate.clean.conftest import WORDS, clips_of


def quiet(*_):
    pass


@pytest.fixture(scope="module")
def corrupted(spoken):
    """(clips of which one in twenty has a wrong label, numbers of those)."""
    samples, truth = spoken
    rng = np.random.default_rng(4)
    bad = rng.permutation(len(truth))[: len(truth) // 20]
    given = truth.copy()
    given[bad] = (truth[bad] + rng.integers(1, len(WORDS), len(bad))) % len(WORDS)
    return clips_of(samples, given), bad


def test_confident_learning_by_hand():
    probabilities = np.array([[0.9, 0.1], [0.7, 0.3], [0.2, 0.8], [0.4, 0.6], [0.45, 0.55], [0.9, 0.1]])
    given = np.array([0, 0, 0, 1, 1, 1])
    # thresholds: class 0 (0.9 + 0.7 + 0.2) / 3 = 0.6; class 1 (0.6 + 0.55 + 0.1) / 3 = 0.4167
    result = labels.find_issues(probabilities, given)
    assert result.flagged.tolist() == [False, False, True, False, False, True]
    assert result.joint.tolist() == [[2, 1], [1, 2]] and result.noise == pytest.approx(1 / 3)
    assert result.suggested[[2, 5]].tolist() == [1, 0]
    assert result.score == pytest.approx([0.1, 0.3, 0.8, 0.4, 0.45, 0.9])


def test_a_clip_without_probabilities_is_not_flagged():
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [np.nan, np.nan], [0.95, 0.05]])
    result = labels.find_issues(probabilities, np.array([0, 1, 1, 1]))
    assert not result.flagged[2] and result.score[2] == 0 and result.flagged[3]


def test_closed_form_leave_one_out_equals_refitting():
    rng = np.random.default_rng(0)
    vectors, given = rng.normal(size=(40, 5)), rng.integers(0, 3, 40)
    truth, spread = np.eye(3)[given], np.linalg.eigvalsh(40 * np.cov(vectors.T, bias=True)).mean()
    result = probe.linear(vectors, given, 3)
    trials = []
    for penalty in probe._PENALTIES:
        ridge = (penalty * spread + 1e-9) * np.eye(5)
        rows = []
        for left in range(40):
            rest = np.arange(40) != left
            centre, base = vectors[rest].mean(axis=0), truth[rest].mean(axis=0)
            others = vectors[rest] - centre
            weights = np.linalg.solve(others.T @ others + ridge, others.T @ (truth[rest] - base))
            rows.append(base + (vectors[left] - centre) @ weights)
        trials.append(np.array(rows))
    ratios = np.log(result) - np.log(result[:, :1])
    assert any(np.linalg.matrix_rank(_columns(trial, ratios), tol=1e-6) == 1 for trial in trials)


def test_a_clip_does_not_predict_itself_with_more_dimensions_than_clips():
    rng = np.random.default_rng(3)
    vectors, given = rng.normal(size=(60, 300)), rng.integers(0, 2, 60)
    result = probe.linear(vectors, given, 2)
    assert (result.argmax(axis=1) == given).mean() < 0.7, "nothing can be learned from noise"


def _columns(scores, ratios):
    """[2, n * 2]: of rank 1 when the log odds are the scores' differences times a temperature."""
    return np.stack([(scores - scores[:, :1])[:, 1:].ravel(), ratios[:, 1:].ravel()])


@pytest.mark.parametrize(("kind", "least"), [("network", 0.8), ("linear", 0.8)])
def test_planted_wrong_labels_lead_the_ranking(corrupted, kind, least):
    clips, bad = corrupted
    ranking = rank.rank(clips, ProbePlan(kind, folds=3, epochs=8), quiet)
    first = {entry.id for entry in ranking.entries[: len(clips) * 8 // 100]}
    assert len(first & {clips.ids[number] for number in bad}) >= least * len(bad)
    assert len(ranking.entries) == len(clips)
    worst = ranking.entries[0]
    assert worst.reasons[0].reason == labels.WRONG_LABEL and worst.suggested != worst.label


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr(probe, "_LEAST_STEPS", 1)


def test_a_probe_is_independent_of_the_clips_own_label(corrupted, short):
    """With the label of one clip changed, the output of its own fold's network stays bit-identical."""
    clips, _ = corrupted
    made, plan = probe.spectra(clips, quiet), ProbePlan(folds=2, epochs=1)
    folds = probe.stratified(clips.labels, 2, 0)
    swapped = next(swap for swap in _swaps(clips.labels, folds) if np.array_equal(probe.stratified(swap, 2, 0), folds))
    before, after = (probe.probabilities(made, given, 4, plan, quiet) for given in (clips.labels, swapped))
    assert np.array_equal(before[folds == 0], after[folds == 0])


def _swaps(given, folds):
    """Labels with those of two clips of the first fold exchanged."""
    for one in np.flatnonzero((folds == 0) & (given == 0)):
        for other in np.flatnonzero((folds == 0) & (given == 1)):
            swapped = given.copy()
            swapped[[one, other]] = 1, 0
            yield swapped


def test_folds_are_stratified():
    given = np.array([0] * 7 + [1] * 3 + [2])
    folds = probe.stratified(given, 3, 5)
    for label in range(2):
        counts = np.bincount(folds[given == label], minlength=3)
        assert counts.max() - counts.min() <= 1


def test_the_same_seed_gives_the_same_ranking(corrupted, short, tmp_path):
    clips, _ = corrupted
    plan = ProbePlan(folds=2, epochs=1)
    one, two = (rank.rank(clips, plan, quiet) for _ in range(2))
    assert one == two
    rank.save(one, tmp_path / "ranking.json")
    assert rank.load(tmp_path / "ranking.json") == one
    (tmp_path / "ranking.json").write_text(json.dumps({"kind": "other"}))
    with pytest.raises(ArtifactError, match="edgekws-clean"):
        rank.load(tmp_path / "ranking.json")


def test_rare_words_are_not_checked_and_a_single_word_is_refused(spoken):
    samples, truth = spoken
    given = truth[:41].copy()
    given[40] = 3
    given[(given == 3) & (np.arange(41) < 40)] = 0
    clips = clips_of(samples[:41], given)
    probabilities = probe.probabilities(probe.spectra(clips, quiet), given, 4, ProbePlan("linear"), quiet)
    assert np.isnan(probabilities[40]).all() and not np.isnan(probabilities[:40]).any()
    with pytest.raises(DataError, match="two words"):
        rank.rank(clips_of(samples[:20], np.zeros(20, int)), ProbePlan("linear"), quiet)
    with pytest.raises(DataError, match="should have clips"):
        rank.rank(replace(clips, ids=()), ProbePlan("linear"), quiet)


def test_a_linear_probe_learns_from_any_embedding(corrupted, monkeypatch):
    clips, bad = corrupted
    true = clips.labels.copy()
    true[bad] = -1

    def made(_, name, __):
        assert name == "mine"
        rng = np.random.default_rng(0)
        return rng.normal(0, 0.1, (len(true), 5)) + np.eye(5)[np.where(true < 0, 4, true)]

    monkeypatch.setattr(rank.embeddings, "of", made)
    ranking = rank.rank(clips, ProbePlan("linear", embedding="mine"), quiet)
    first = {entry.id for entry in ranking.entries[: len(bad)]}
    assert first == {clips.ids[number] for number in bad}


def test_invalid_plans_are_refused():
    for wrong in ({"embedding": "mine"}, {"kind": "magic"}, {"folds": 1}, {"epochs": 0}):
        with pytest.raises(ConfigError):
            ProbePlan(**wrong)


def test_among_few_clips_a_contradiction_proves_little():
    """The order stays; 98 % becomes what is left of it where 3.4 % of labels are wrong."""
    probabilities = np.array([[0.02, 0.98, 0.0], [0.3, 0.6, 0.1], [0.9, 0.05, 0.05], [0.1, 0.8, 0.1]])
    plain = labels.find_issues(probabilities, np.array([0, 0, 0, 1]))
    weighed = labels.weighed(plain, 3)
    assert plain.score[0] == pytest.approx(0.98) and weighed.score[0] == pytest.approx(0.463, abs=0.001)
    assert np.argsort(weighed.score).tolist() == np.argsort(plain.score).tolist()
    assert weighed.flagged.tolist() == plain.flagged.tolist()


def test_out_of_fold_probabilities_are_only_as_sure_as_they_are_right():
    """Of ten answers with 99 %, six are right: the temperature makes them say about that."""
    made = np.tile([0.99, 0.01], (10, 1))
    softer = probe.softened(made, np.array([0] * 6 + [1] * 4))
    assert 0.5 < softer[0, 0] < 0.7
    right = probe.softened(made, np.zeros(10, np.int64))
    assert right[0, 0] == pytest.approx(0.99)


def test_few_clips_come_with_a_caveat():
    def ranking(clips):
        entries = tuple(rank.Entry(str(number), "", "yes" if number % 2 else "no", 0.0, ()) for number in range(clips))
        return rank.Ranking("mine", "", probe.ProbePlan(), 0.0, entries)

    assert ranking(60).caveat().startswith("30 clips a word are too few to judge labels (below 100)")
    assert ranking(200).caveat() == ""
