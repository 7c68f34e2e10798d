"""Confident learning is cleanlab's, by cases that cleanlab 2.9 has answered (make_cleanlab_golden.py)."""

from pathlib import Path

import numpy as np
import pytest

from edgekws.curate.select.confident_learning import calibrated_joint, confident_joint, label_errors, whole
from edgekws.curate.select.probe import out_of_fold
from tests.curate.select.pools import planted

GOLDEN = Path(__file__).with_name("data") / "cleanlab.npz"


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN, allow_pickle=False) as archive:
        return dict(archive)


@pytest.mark.parametrize("number", range(5))
def test_the_joint_and_the_named_clips_are_cleanlabs(number, golden):
    labels, guess = golden[f"labels{number}"], golden[f"probabilities{number}"]
    assert np.array_equal(whole(calibrated_joint(labels, guess)), golden[f"joint{number}"])
    assert np.array_equal(label_errors(labels, guess), golden[f"issues{number}"])


def test_the_joint_is_a_sum_over_clips(golden):
    """So that shards can be added, given common thresholds: no clip counts twice, none is lost but the unsure."""
    labels, guess = golden["labels2"], golden["probabilities2"]
    joint = confident_joint(labels, guess)
    assert joint.sum() <= len(labels)
    assert np.allclose(calibrated_joint(labels, guess).sum(axis=1), np.bincount(labels))


def test_planted_errors_are_found():
    """Classes as the selectors have them: two targets and the rest."""
    clips, wrong = planted(each=80, wrong=0.15, apart=1.0)
    labels = np.where(clips.classes < 0, 2, clips.classes)
    named = label_errors(labels, out_of_fold(clips.vectors, labels, np.random.default_rng(0)))
    said_other = wrong & (clips.classes >= 0)  # among other words a wrong word is still an other word
    assert named[said_other].mean() > 0.8
    assert named[~wrong].mean() < 0.05


def test_without_an_error_nothing_is_named():
    labels = np.arange(30) % 3
    assert not label_errors(labels, np.eye(3)[labels] * 0.9 + 0.03).any()
