"""Forgetting events (Toneva et al. 2019) of a linear probe: how often a correctly classified clip becomes wrong again.

The probe is trained by gradient steps on small batches and evaluated on all clips after each epoch. Selected are the
clips that are learned first and never forgotten; ties go to the largest final probability.
"""

from __future__ import annotations

import numpy as np

from edgekws.curate.select import Pool, Selection
from edgekws.curate.select.pool import generator, labels
from edgekws.curate.select.probe import softmax
from edgekws.curate.select.ranked import top_of_each_class

EPOCHS, BATCH_CLIPS, LEARNING_RATE = 12, 64, 0.05


def select(pool: Pool, size: int, seed: int) -> Selection:
    events, learned, confidence = history(pool, seed)
    return top_of_each_class(pool, size, -10.0 * events - learned + confidence)


def history(pool: Pool, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """[n] each: forgetting events, first epoch after which the clip was right (EPOCHS: never), final probability."""
    rng, truth = generator(seed, "forgetting"), labels(pool)
    x = np.asarray(pool.vectors, np.float32)
    x = (x - x.mean(axis=0)) / (x.std(axis=0) + np.float32(1e-6)) / np.float32(np.sqrt(x.shape[1]))
    weights, bias = np.zeros((x.shape[1], len(pool.targets) + 1), np.float32), np.zeros(len(pool.targets) + 1)
    one_hot = np.eye(len(bias), dtype=np.float32)[truth]
    events, learned, correct = np.zeros(len(x)), np.full(len(x), EPOCHS), np.zeros(len(x), bool)
    for epoch in range(EPOCHS):
        for rows in np.array_split(rng.permutation(len(x)), max(1, len(x) // BATCH_CLIPS)):
            residual = softmax(x[rows] @ weights + bias) - one_hot[rows]
            weights -= (LEARNING_RATE * x[rows].T @ residual).astype(np.float32)
            bias -= LEARNING_RATE * residual.mean(axis=0)
        probabilities = softmax(x @ weights + bias)
        now = probabilities.argmax(axis=1) == truth
        events += correct & ~now
        learned = np.where(now & (learned == EPOCHS), epoch, learned)
        correct = now
    return events, learned, probabilities[np.arange(len(x)), truth]
