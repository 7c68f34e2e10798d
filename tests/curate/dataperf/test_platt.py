"""The parts of libsvm that are reimplemented (random order, sigmoids, coupling), each against scikit-learn."""

import numpy as np
import pytest

from edgekws.curate.dataperf.scorer import mt19937, platt
from edgekws.curate.dataperf.scorer.ensemble import Ensemble
from edgekws.errors import DataError

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")  # probability=True is deprecated in 1.9


def probable(x, y, seed):
    svm = pytest.importorskip("sklearn.svm")
    try:
        return svm.SVC(probability=True, random_state=seed).fit(x, y)
    except TypeError:
        pytest.skip("this scikit-learn's SVC has no probability=True")


def constant(rng):
    return np.ones((20, 3)), np.repeat([0, 1, 2], [5, 5, 10])


def equal_rows_of_two_classes(rng):
    x = rng.normal(size=(6, 4))
    return np.vstack([x, x]), np.repeat([0, 1], 6)


def one_clip_each(rng):
    return rng.normal(size=(4, 5)), np.arange(4)


def far_apart(rng):
    return np.vstack([rng.normal(size=(9, 2)) + 1e6 * n for n in range(3)]), np.repeat([0, 1, 2], 9)


def many_classes(rng):
    return rng.normal(size=(60, 8)), np.arange(60) % 20


@pytest.mark.parametrize(
    "make", [constant, equal_rows_of_two_classes, one_clip_each, far_apart, many_classes], ids=lambda f: f.__name__
)
@pytest.mark.parametrize("seed", [0, 3, 2**32 - 1])
def test_sigmoids_equal_libsvms_for_degenerate_data(make, seed):
    x, y = make(np.random.default_rng(0))
    model, known = Ensemble(x, y, [seed]), probable(x, y, seed)
    result = np.array(model.sigmoids[0])
    np.testing.assert_allclose(result[:, 0], known.probA_, rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(result[:, 1], known.probB_, rtol=1e-7, atol=1e-7)


def test_coupled_probabilities_equal_libsvms():
    rng = np.random.default_rng(1)
    x, y, others = rng.normal(size=(50, 6)), np.arange(50) % 5, rng.normal(size=(300, 6))
    known = probable(x, y, 7)
    sigmoids = list(zip(known.probA_.tolist(), known.probB_.tolist(), strict=True))
    result = platt.probabilities(known.set_params(decision_function_shape="ovo").decision_function(others), sigmoids, 5)
    np.testing.assert_allclose(result, known.predict_proba(others), rtol=0, atol=1e-12)


def test_random_words_equal_those_of_std_mt19937():
    """The 10,000th word of the default seed is in the C++ standard, [rand.predef]."""
    words = mt19937._Words(5489, 10_000)
    assert [words._next() for _ in range(10_000)][-1] == 4123659995


@pytest.mark.parametrize("size", [1, 2, 5, 60, 5000])
def test_a_shuffle_is_a_permutation_that_depends_on_the_seed(size):
    orders = [mt19937.shuffled(size, seed) for seed in (1, 1, 2)]
    assert sorted(orders[0].tolist()) == list(range(size))
    np.testing.assert_array_equal(orders[0], orders[1])
    assert size < 5 or (orders[0] != orders[2]).any()


def test_words_that_would_bias_the_shuffle_are_rejected(monkeypatch):
    """Low words of the product below 2^32 mod limit are rejected."""
    words = mt19937._Words(0, 1)
    words._ready = [2_000_000_000, 0]  # popped from the end: 0 is refused for limits that do not divide 2^32
    assert words.below(3) == 2_000_000_000 * 3 >> 32
    words._ready = [2_000_000_000, 0]
    assert words.below(4) == 0


def test_a_single_class_is_refused():
    with pytest.raises(DataError, match="two classes"):
        Ensemble(np.ones((3, 2)), np.zeros(3), [0])
