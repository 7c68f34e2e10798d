"""Makes data/cleanlab.npz with cleanlab >= 2.9, in an environment of its own: python make_cleanlab_golden.py

Of each case: labels, probabilities, cleanlab's confident joint (calibrated) and its label issues.
"""

from pathlib import Path

import cleanlab
import numpy as np
from cleanlab.count import compute_confident_joint
from cleanlab.filter import find_label_issues

CASES = ((3, 150, 0.1, 1.0), (3, 300, 0.3, 0.6), (6, 400, 0.15, 1.2), (2, 120, 0.2, 0.8), (10, 500, 0.05, 1.5))


def made(classes, count, wrong, sureness, seed):
    rng = np.random.default_rng(seed)
    truth = np.concatenate([np.arange(classes).repeat(4), rng.integers(classes, size=count - 4 * classes)])
    scores = rng.normal(size=(count, classes))
    scores[np.arange(count), truth] += 2 * sureness
    probabilities = np.exp(scores)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    labels = np.where(rng.random(count) < wrong, rng.integers(classes, size=count), truth)
    return labels, probabilities


def main():
    arrays = {"version": np.array(cleanlab.__version__)}
    for number, case in enumerate(CASES):
        labels, probabilities = made(*case, seed=number)
        joint = compute_confident_joint(labels, probabilities, calibrate=True)
        issues = find_label_issues(labels, probabilities, n_jobs=1)
        for name, value in (("labels", labels), ("probabilities", probabilities), ("joint", joint), ("issues", issues)):
            arrays[f"{name}{number}"] = np.asarray(value)
    np.savez(Path(__file__).with_name("data") / "cleanlab.npz", allow_pickle=False, **arrays)


if __name__ == "__main__":
    main()
