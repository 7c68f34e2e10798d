"""Scores and every label equal those of scikit-learn 1.2.2 (numerics 2023) and 1.5.2 (2024); see golden/make.py."""

from pathlib import Path

import numpy as np
import pytest

from edgekws.dataperf import lists, loader, protocols, score
from edgekws.dataperf.ensemble import Ensemble
from tests.dataperf import cases

GOLDEN = Path(__file__).parent / "golden"
SURPRISING = {"twice-in-selection", "target-missing", "target-empty"}


def task_of(case, folder):
    selection = cases.write(case, folder)
    return score.Task(
        selection,
        folder / "allowed_training_set.yaml",
        folder / "eval.yaml",
        folder / "train_embeddings",
        folder / "eval_embeddings",
        case.size,
    )


@pytest.fixture(scope="module", params=cases.CASES)
def made(request, tmp_path_factory):
    case = cases.CASES[request.param]
    return request.param, case, task_of(case, tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def golden():
    return {
        numerics: dict(np.load(GOLDEN / f"golden_{numerics}.npz", allow_pickle=False)) for numerics in ("2023", "2024")
    }


@pytest.mark.parametrize("numerics", ["2023", "2024"])
def test_scores_and_labels_are_those_of_scikit_learn(made, golden, numerics):
    name, case, task = made
    strict = name in SURPRISING
    options = score.Options(numerics, protocols.named("2023-05"), case.seeds, strict_peer=strict)
    found = score.score(task, options)
    expected = {key: golden[numerics][f"{name}.{key}"] for key in ("labels", "scores", "truth")}
    np.testing.assert_array_equal(found.truth, expected["truth"])
    np.testing.assert_array_equal(found.labels, expected["labels"])
    assert abs(found.value - expected["scores"][:, 2].mean()) < 1e-12
    assert bool(found.warnings) == (strict or name == "twice-in-eval")


@pytest.mark.parametrize("numerics", ["2023", "2024"])
def test_probabilities_are_those_of_scikit_learn(made, golden, numerics):
    name, case, task = made
    train = list(loader.load(lists.read(task.selection), task.train_embeddings, print))
    evaluated = next(iter(loader.load(lists.read(task.evaluation), task.eval_embeddings, print))).vectors[:10]
    x, y = np.concatenate([b.vectors for b in train]), np.concatenate([b.classes for b in train])
    model = Ensemble(x, y, case.seeds[:2], numerics)
    sigmoids = np.array(model.sigmoids).transpose(0, 2, 1)
    np.testing.assert_allclose(sigmoids, golden[numerics][f"{name}.sigmoids"], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(model.probabilities(evaluated), golden[numerics][f"{name}.chances"], rtol=0, atol=1e-9)


def test_older_protocols_take_one_seed_and_their_own_measure(made, golden):
    name, case, task = made
    for date, column in (("2022-11", 1), ("2023-03", 2)):
        options = score.Options("2023", protocols.named(date), case.seeds[:1], strict_peer=True)
        found = score.score(task, options)
        assert abs(found.value - golden["2023"][f"{name}.scores"][0, column]) < 1e-12
