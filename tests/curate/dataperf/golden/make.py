"""Scores and labels of the challenge's evaluation, by scikit-learn itself: golden_2023.npz and golden_2024.npz.

    python -m venv old && old/bin/pip install scikit-learn==1.2.2 "numpy<2" pandas "pyarrow<20" pyyaml
    old/bin/python tests/curate/dataperf/golden/make.py golden_2023.npz          (1.5.2 for golden_2024.npz)

Written from the documented behaviour of the challenge's loader and evaluation, not from its code; shares no line with
edgekws. Each case's labels are those of VotingClassifier(SVC(probability=True), LogisticRegression()); its march labels
those of Perceptron() and of SVC(), as in March 2022.
"""

import json
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import sklearn
import yaml
from sklearn.ensemble import VotingClassifier
from sklearn.linear_model import LogisticRegression, Perceptron
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score
from sklearn.svm import SVC

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import cases


def gather(lists, folder):
    """Rows of targets in the file's order, of nontargets in the list's, grouped by word; nontargets are class 0."""
    numbers = {word: n for n, word in enumerate(sorted(lists["targets"]), 1)}
    numbers["nontarget"] = 0
    x, y = [], []
    for word, ids in lists["targets"].items():
        frame = pd.read_parquet(folder / f"{word}.parquet")
        rows = frame[frame.clip_id.isin(ids)].mswc_embedding_vector.tolist()
        x += rows
        y += [numbers[word]] * len(rows)
    positive = np.array(x)
    groups = {}
    for clip in lists["nontargets"]:
        groups.setdefault(clip.split("/")[0], []).append(clip)
    rest = []
    for word, ids in groups.items():
        frame = pd.read_parquet(folder / f"{word}.parquet").drop_duplicates("clip_id").set_index("clip_id")
        rest += [frame.mswc_embedding_vector[clip] for clip in ids]
    return np.vstack([positive, np.array(rest)]), np.array(y + [0] * len(rest), float)


def gather_in_order(lists, folder, names):
    """March 2022: nontargets, then targets, each id as often and where it is listed; two lists."""
    frames, x, y = {}, [], []
    listed = [(clip.split("/")[0], clip, "nontarget") for clip in lists["nontargets"]]
    listed += [(word, clip, word) for word, ids in lists["targets"].items() for clip in ids]
    for word, clip, label in listed:
        if word not in frames:
            frames[word] = pd.read_parquet(folder / f"{word}.parquet")
        x.append(frames[word].mswc_embedding_vector[frames[word].clip_id.tolist().index(clip)])
        y.append(names.index(label))
    return x, y


def run_march(selection, evaluated, folder):
    allowed = yaml.safe_load((folder / "allowed_training_set.yaml").read_text(encoding="utf-8"))
    names = [*allowed["targets"], "nontarget"]
    x, y = gather_in_order(selection, folder / "train_embeddings", names)
    test, truth = gather_in_order(evaluated, folder / "eval_embeddings", names)
    models = [model(random_state=0).fit(x, y) for model in (Perceptron, SVC)]
    labels = np.array([model.predict(test) for model in models], np.uint8)
    return {"march": labels, "march_scores": np.array([model.score(test, truth) for model in models])}


def run(case, folder):
    selection = json.loads(cases.write(case, folder).read_text(encoding="utf-8"))
    evaluated = yaml.safe_load((folder / "eval.yaml").read_text(encoding="utf-8"))
    train, test = gather(selection, folder / "train_embeddings"), gather(evaluated, folder / "eval_embeddings")
    labels, scores, sigmoids, chances = [], [], [], []
    for seed in case.seeds:
        parts = [("svm", SVC(probability=True, random_state=seed)), ("lr", LogisticRegression(random_state=seed))]
        model = VotingClassifier(parts, voting="soft").fit(*train)
        result = model.predict(test[0])
        labels.append(result)
        measures = (accuracy_score, balanced_accuracy_score, lambda t, p: f1_score(t, p, average="macro"))
        scores.append([measure(test[1], result) for measure in measures])
        machine = model.named_estimators_["svm"]
        sigmoids.append([machine.probA_, machine.probB_])
        chances.append(model.predict_proba(test[0][:10]))
    return {
        "labels": np.array(labels, np.uint8),
        "scores": np.array(scores),
        "sigmoids": np.array(sigmoids)[:2],
        "chances": np.array(chances)[:2],
        "truth": test[1].astype(np.uint8),
        **run_march(selection, evaluated, folder),
    }


def main(out):
    warnings.simplefilter("ignore")
    arrays = {"sklearn": np.array(sklearn.__version__)}
    for name, case in cases.CASES.items():
        with tempfile.TemporaryDirectory() as folder:
            for key, value in run(case, Path(folder)).items():
                arrays[f"{name}.{key}"] = value
        print(name, arrays[f"{name}.scores"][:, 2].mean())
    for name in cases.FIRST:
        x, y, types, vectors = cases.first(name)
        model = LogisticRegression(random_state=0).fit(x, y)
        arrays[f"{name}.labels"] = model.predict(vectors.astype(float)).astype(np.uint8)
        arrays[f"{name}.score"] = np.array(model.score(vectors.astype(float), types == 0))
        print(name, arrays[f"{name}.score"])
    np.savez_compressed(out, **arrays)


if __name__ == "__main__":
    main(sys.argv[1])
