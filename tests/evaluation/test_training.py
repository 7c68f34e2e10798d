"""The verdict on a training says with numbers what there is to doubt, and nothing about a sound one."""

from types import SimpleNamespace

import numpy as np
import pytest

from edgekws.data.labels import SILENCE, UNKNOWN
from edgekws.evaluation.training import judge

LABELS = ("yes", "no", SILENCE, UNKNOWN)
FLAT = [{"epoch": number + 1, "validation_loss": 0.5} for number in range(10)]


def data(validation, train=200, speakers=20, labels=LABELS):
    """Counts of clips: `validation` and `train` of each class."""
    truth = np.repeat(np.arange(len(labels)), validation)
    learned = np.repeat(np.arange(len(labels)), train)
    names = tuple(f"s{number % speakers}" for number in range(len(learned)))
    splits = {
        "validation": SimpleNamespace(labels=truth),
        "train": SimpleNamespace(labels=learned, speakers=names),
    }
    return SimpleNamespace(labels=labels, splits=splits)


def warnings(about, wrong=0, training_wrong=0, rows=FLAT, best=3, early=False):
    """The warnings when the first `wrong` validation clips get the next class."""
    truth = about.splits["validation"].labels
    answers = truth.copy()
    answers[:wrong] = (answers[:wrong] + 1) % len(about.labels)
    right = np.zeros(1000, int)
    learned = right.copy()
    learned[:training_wrong] = 1
    return judge(about, answers, (learned, right), rows, best, early).warnings


def test_a_sound_training_has_no_warning():
    assert warnings(data(200), wrong=20) == ()


@pytest.mark.parametrize(
    ("about", "options", "message"),
    [
        (data(3), {"wrong": 1}, "12 validation clips: an accuracy of 92 % may be anything from 65 to 99 %"),
        (data(200, train=9, speakers=1), {}, "yes has 9 recordings by 1 speaker, no has 9 recordings by 1 speaker"),
        (data(200), {"wrong": 200}, "never right: yes (0 of 200)"),
        (data(200), {"wrong": 620}, "not clearly better than chance: to answer yes always would be right in 25 %"),
        (data(200), {"wrong": 190}, "overfitted: 100 % of the training clips are right, and 76 % of the validation"),
        (data(200, labels=LABELS[:2]), {}, "has no"),
    ],
    ids=["few", "small", "never", "chance", "overfit", "reject"],
)
def test_what_there_is_to_doubt_is_said_with_numbers(about, options, message):
    assert any(message in warning for warning in warnings(about, **options)), warnings(about, **options)


def test_a_loss_that_still_falls_asks_for_more_epochs():
    falling = [{"epoch": number + 1, "validation_loss": 1.0 - number / 20} for number in range(10)]
    assert any("raise --epochs" in text for text in warnings(data(200), rows=falling, best=10))
    assert warnings(data(200), rows=falling, best=10, early=True) == ()
    assert warnings(data(200), rows=FLAT, best=10) == ()
