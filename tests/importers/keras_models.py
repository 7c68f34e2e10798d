"""A small Keras DS-CNN, as a file, with the clips that calibrate it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

SHAPE = (13, 10, 1)


def clips(count: int, seed: int = 0) -> np.ndarray:
    """float32 [count, *SHAPE] within +-3.9."""
    values = np.random.default_rng(seed).standard_normal((count, *SHAPE)).clip(-3.9, 3.9)
    return values.astype(np.float32)


def save(path: Path) -> np.ndarray:
    """Write an untrained network with unequal channels. Returns its float scores of clips(64), [64, 4]."""
    import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential([
        keras.Input(SHAPE),
        layers.Conv2D(8, (10, 4), strides=2, padding="same", use_bias=False),
        layers.BatchNormalization(gamma_initializer=keras.initializers.RandomUniform(0.5, 2)),
        layers.ReLU(),
        layers.DepthwiseConv2D(3, padding="same"),
        layers.BatchNormalization(beta_initializer="random_normal"),
        layers.ReLU(),
        layers.Conv2D(8, 1, activation="relu"),
        layers.Dropout(0.2),
        layers.GlobalAveragePooling2D(),
        layers.Dense(4, activation="softmax"),
    ])  # fmt: skip
    model.save(path)
    return np.asarray(model(clips(64)))
