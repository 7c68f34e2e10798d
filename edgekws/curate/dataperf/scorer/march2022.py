"""The first protocol of the current formats (March 2022): a perceptron and an RBF SVC, each scored by accuracy.

Its loader differs from the current one, and its order affects the perceptron:

- nontargets come first, in the order of the list; then targets in the order of the keys, each in the order of its list;
- an id listed twice is taken twice, in both; of two rows with one id the first is taken; each id must exist;
- classes are numbered by the targets of allowed_training_set.yaml in the order of its keys; nontargets come last.

The perceptron is scikit-learn's with its defaults and random_state=0, as the SVC is. Releases before 1.3 made float64
of the vectors for it (numerics 2023), later ones keep float32 (2024, native).
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from edgekws.curate import packages
from edgekws.curate.dataperf.formats import words
from edgekws.curate.dataperf.formats.lists import IdLists
from edgekws.curate.dataperf.scorer import ensemble, loader
from edgekws.curate.dataperf.scorer.loader import Block
from edgekws.errors import ArtifactError, DataError

SEED = 0


class Classifiers:
    """Both, fitted. x: float [n, dimensions]; y: int [n], two classes or more; numerics: of ensemble.NUMERICS."""

    def __init__(self, x: np.ndarray, y: np.ndarray, numerics: str) -> None:
        ensemble.check(numerics)
        if len(np.unique(y)) < 2:
            raise DataError("A classifier needs clips of two classes or more", got="one class")
        self._wide = numerics == "2023"
        self._perceptron = _fitted(
            packages.load("sklearn.linear_model").Perceptron(random_state=SEED), self._typed(x), y
        )
        self._svm = ensemble.svc(x.astype(np.float64), y)

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Class numbers, int64 [2, n]: of the perceptron, of the SVC."""
        return np.stack([self._perceptron.predict(self._typed(x)), self._svm.predict(x.astype(np.float64))])

    def _typed(self, x: np.ndarray) -> np.ndarray:
        return x.astype(np.float64 if self._wide or x.dtype != np.float32 else np.float32)


def _fitted(model: Any, x: np.ndarray, y: np.ndarray) -> Any:  # noqa: ANN401  scikit-learn has no types
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "did not converge" is how the challenge uses it
        return model.fit(x, y)


def class_ids(allowed: IdLists) -> dict[str, int]:
    """The class of each target word, from 0 in the order of the keys; nontargets are the last."""
    return {word: place for place, word in enumerate(dict.fromkeys([*allowed.targets, loader.NONTARGET]))}


def load(lists: IdLists, folder: Path, classes: dict[str, int]) -> Block:
    """All clips of `lists` in its order. Raises DataError for a clip that its file lacks, or for an unknown target."""
    unknown = [word for word in lists.targets if word not in classes]
    if unknown:
        raise DataError("each target should be one of allowed_training_set.yaml", got=unknown[0])
    listed = [(loader.word_of(clip), clip, classes[loader.NONTARGET]) for clip in lists.nontargets]
    listed += [(word, clip, classes[word]) for word, ids in lists.targets.items() for clip in ids]
    places: dict[str, list[int]] = {}
    for place, (word, _, _) in enumerate(listed):
        places.setdefault(word, []).append(place)
    vectors: dict[int, np.ndarray] = {}
    for word, mine in places.items():
        result = loader.first_rows(words.read(words.path_of(folder, word)), [listed[place][1] for place in mine])
        vectors.update(zip(mine, result, strict=True))
    if len({len(vector) for vector in vectors.values()}) != 1:
        raise ArtifactError(f"the clips listed of {folder} should have vectors of one length", got=_lengths(vectors))
    ids, labels = tuple(clip for _, clip, _ in listed), np.array([label for *_, label in listed], np.int64)
    return Block(ids, labels, np.stack([vectors[place] for place in range(len(listed))]))


def _lengths(vectors: dict[int, np.ndarray]) -> str:
    return ", ".join(str(size) for size in sorted({len(vector) for vector in vectors.values()})) or "no clips"


def surprises(selection: IdLists, targets: list[str]) -> list[str]:
    """Of a selection that --strict-peer scores. targets: of the evaluation."""
    result = [f"no clip of {word}: it can never be predicted" for word in targets if not selection.targets.get(word)]
    repeated = selection.size - len(selection.counts())
    return [*result, *([f"{repeated} ids are listed twice: they train twice"] if repeated else [])]
