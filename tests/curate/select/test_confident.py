"""Confident learning equals cleanlab 2.9 on stored cases (make_cleanlab_golden.py)."""

from pathlib import Path

import numpy as np
import pytest

from edgekws.curate.select.confident_learning import calibrated_joint, confident_joint, label_errors, round_rows
from edgekws.curate.select.probe import out_of_fold
from tests.curate.select.pools import planted

GOLDEN = Path(__file__).with_name("data") / "cleanlab.npz"


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN, allow_pickle=False) as archive:
        return dict(archive)


@pytest.mark.parametrize("number", range(5))
def test_the_joint_and_the_flagged_clips_equal_cleanlabs(number, golden):
    labels, probabilities = golden[f"labels{number}"], golden[f"probabilities{number}"]
    assert np.array_equal(round_rows(calibrated_joint(labels, probabilities)), golden[f"joint{number}"])
    assert np.array_equal(label_errors(labels, probabilities), golden[f"issues{number}"])


def test_the_joint_is_a_sum_over_clips(golden):
    """With common thresholds the joints of shards add up: no clip counts twice, only unconfident clips are left out."""
    labels, probabilities = golden["labels2"], golden["probabilities2"]
    joint = confident_joint(labels, probabilities)
    assert joint.sum() <= len(labels)
    assert np.allclose(calibrated_joint(labels, probabilities).sum(axis=1), np.bincount(labels))


def test_planted_errors_are_found():
    """With the classes that selectors use: two targets and other words."""
    clips, wrong = planted(each=80, wrong=0.15, apart=1.0)
    labels = np.where(clips.classes < 0, 2, clips.classes)
    flagged = label_errors(labels, out_of_fold(clips.vectors, labels, np.random.default_rng(0)))
    mislabelled_targets = wrong & (clips.classes >= 0)  # among other words a wrong word is still an other word
    assert flagged[mislabelled_targets].mean() > 0.8
    assert flagged[~wrong].mean() < 0.05


def test_without_an_error_nothing_is_flagged():
    labels = np.arange(30) % 3
    assert not label_errors(labels, np.eye(3)[labels] * 0.9 + 0.03).any()
