"""Every selector makes valid, reproducible selections, for every shape of pool."""

import numpy as np
import pytest

from edgekws.curate import select
from edgekws.curate.select import Pool, Selection
from edgekws.curate.select.check import check
from edgekws.errors import ConfigError
from tests.curate.select.pools import chosen_rows, planted, pool

EXPECTED = {
    "balanced", "confident", "crossval", "difficulty", "el2n", "entropy", "facility", "filtered", "forgetting",
    "herding", "kcenter", "kmeans", "margin", "proxy_exchange", "random",
}  # fmt: skip
RANDOMIZED = {"random", "balanced", "crossval", "confident", "kmeans", "proxy_exchange"}


@pytest.fixture(scope="module")
def clips():
    return pool()


def test_the_selectors_are_found_by_their_files():
    assert set(select.names()) >= EXPECTED


@pytest.mark.parametrize("name", select.names())
@pytest.mark.parametrize("size", [3, 10, 25, 60])
def test_a_selection_is_valid_and_has_the_requested_size(name, size, clips):
    chosen = check(select.load(name)(clips, size, 0), clips, size)
    assert chosen.size == size


@pytest.mark.parametrize("name", select.names())
def test_the_same_seed_gives_the_same_selection(name, clips):
    assert select.load(name)(clips, 25, 7) == select.load(name)(clips, 25, 7)


@pytest.mark.parametrize("name", sorted(RANDOMIZED))
def test_another_seed_gives_another_selection(name, clips):
    run = select.load(name)
    assert len({str(run(clips, 12, seed)) for seed in range(4)}) > 1


@pytest.mark.parametrize("name", select.names())
def test_numpys_global_random_state_is_neither_read_nor_changed(name, clips):
    np.random.seed(1)
    before = np.random.get_state()[1].copy()
    first = select.load(name)(clips, 12, 3)
    assert np.array_equal(before, np.random.get_state()[1])
    np.random.seed(2)
    assert select.load(name)(clips, 12, 3) == first


@pytest.mark.parametrize("name", select.names())
def test_a_pool_smaller_than_the_size_is_selected_completely(name):
    small = pool(each=5)
    assert check(select.load(name)(small, 60, 0), small, 60).size <= len(small.ids)
    assert select.load(name)(small, len(small.ids), 0).size == len(small.ids)


@pytest.mark.parametrize("name", select.names())
def test_classes_of_a_single_clip_are_supported(name, clips):
    for rows in ([0, *range(24, 120)], [0, 24, 50]):
        few = part(clips, rows)
        for size in (3, 20):
            chosen = check(select.load(name)(few, size, 0), few, size)
            assert chosen.targets["stop"] == (clips.ids[0],) and chosen.size == min(size, len(rows))


@pytest.mark.parametrize("name", select.names())
def test_a_pool_of_two_clips_is_selected_completely(name, clips):
    """Both may be in one fold of a probe, which then has no training data."""
    two = Pool(("stop",), ("stop/1.wav", "cat/1.wav"), np.array([0, -1]), clips.vectors[[0, 50]], ("stop", "cat"))
    for seed in range(12):
        assert select.load(name)(two, 5, seed) == Selection({"stop": ("stop/1.wav",)}, ("cat/1.wav",))


@pytest.mark.parametrize("name", select.names())
def test_one_target_and_one_dimension_are_enough(name, clips):
    bare = Pool(("stop",), clips.ids, np.where(clips.classes == 0, 0, -1), clips.vectors[:, :1], clips.words)
    assert check(select.load(name)(bare, 12, 0), bare, 12).size == 12


@pytest.mark.parametrize("name", select.names())
def test_without_other_words_the_targets_share_the_size(name, clips):
    """As in a data set in which every word is a target."""
    bare = part(clips, np.flatnonzero(clips.classes >= 0))
    for size in (2, 25, 48):
        chosen = select.load(name)(bare, size, 0)
        assert chosen.size == size and chosen.nontargets == () and all(chosen.targets.values())
        assert set(chosen.targets["stop"]) <= set(bare.ids[:24])
    with pytest.raises(ConfigError, match="2 or more"):
        select.load(name)(bare, 1, 0)


def part(clips, rows):
    rows = np.asarray(rows)
    ids, words = (tuple(np.array(values)[rows].tolist()) for values in (clips.ids, clips.words))
    return Pool(clips.targets, ids, clips.classes[rows], clips.vectors[rows], words)


@pytest.mark.parametrize("name", select.names())
def test_a_size_below_the_number_of_classes_is_refused(name, clips):
    with pytest.raises(ConfigError, match="3 or more"):
        select.load(name)(clips, 2, 0)


@pytest.mark.parametrize("name", select.names())
def test_a_pool_without_a_class_is_refused(name, clips):
    bare = part(clips, np.flatnonzero(clips.classes != 1))
    with pytest.raises(ConfigError, match="jalape"):
        select.load(name)(bare, 10, 0)


@pytest.mark.parametrize("name", select.names())
def test_identical_vectors_are_supported(name, clips):
    identical = Pool(clips.targets, clips.ids, clips.classes, np.ones_like(clips.vectors), clips.words)
    assert check(select.load(name)(identical, 12, 0), identical, 12).size == 12


@pytest.mark.parametrize("name", ["confident", "filtered", "margin", "entropy", "el2n", "forgetting", "proxy_exchange"])
def test_filtering_selectors_take_at_most_half_as_many_label_errors_as_random(name):
    shares = []
    for seed in range(3):
        clips, wrong = planted(each=60, wrong=0.2, seed=seed)
        shares.append(wrong[chosen_rows(clips, select.load(name)(clips, 30, seed))].mean())
    assert np.mean(shares) < 0.1
