"""Shared values: one small random legal graph, with every op and per-channel shifts."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from hypothesis import settings

from edgekws.data import dataset
from edgekws.data.dataset import Dataset
from edgekws.data.sources import speech_commands
from edgekws.features.spec import FeatureSpec
from edgekws.graph.attributes import Shape
from edgekws.graph.ir import INPUT, Graph, Node, Requant
from edgekws.graph.ops import OPS, Op
from tests.recordings import provide

settings.register_profile("edgekws", deadline=None)  # shared machines stall; speed has its own benchmarks
settings.load_profile("edgekws")


def _requant(rng: np.random.Generator, channels: int, fan_in: int, signed: bool) -> Requant:
    shift = rng.integers(5, 8, channels) + int(np.log2(fan_in)) // 2
    offset = rng.integers(-400, 4000, channels)
    lo, hi = (-128, 127) if signed else (0, 255)
    return Requant(offset.astype(np.int32), np.ones(channels, np.uint8), shift.astype(np.uint8), lo, hi)


def random_graph(seed: int = 0, weight_limit: int = 127, channels: int = 8, classes: int = 12) -> Graph:
    """conv 10x4/2, depthwise 3x3, pointwise, sum pool, linear; random integers."""
    rng = np.random.default_rng(seed)
    spec = FeatureSpec()

    def weights(*shape: int) -> np.ndarray:
        return rng.integers(-weight_limit, weight_limit + 1, shape).astype(np.int8)

    def layer(name: str, op: Op, source: str, shape: Shape, out: Shape, weight: np.ndarray, **more: object) -> Node:
        requant = _requant(rng, out[2], weight[0].size, signed=OPS[op].is_dense)
        return Node(name, op, (source,), requant, shape, out, weight=weight, **more)  # type: ignore[arg-type]

    mid = (25, 5, channels)
    pool_requant = Requant(
        np.full(channels, 64, np.int32), np.ones(channels, np.uint8), np.full(channels, 7, np.uint8), 0, 255
    )
    nodes = (
        layer("conv1", "conv2d", INPUT, (49, 10, 1), mid, weights(channels, 10, 4, 1), stride=(2, 2), pad=(4, 5, 1, 1)),
        layer("dw1", "depthwise_conv2d", "conv1", mid, mid, weights(channels, 3, 3), pad=(1, 1, 1, 1)),
        layer("pw1", "conv2d", "dw1", mid, mid, weights(channels, 1, 1, channels)),
        Node("pool", "global_sum_pool", ("pw1",), pool_requant, mid, (1, 1, channels)),
        layer("fc", "linear", "pool", (1, 1, channels), (1, 1, classes), weights(classes, channels)),
    )
    labels = tuple(f"word{i}" for i in range(classes))
    return Graph(nodes, labels, spec, target="tinpu", name="random")


@pytest.fixture
def graph_factory() -> Callable[..., Graph]:
    return random_graph


@pytest.fixture
def graph() -> Graph:
    return random_graph()


@pytest.fixture
def random_features() -> Callable[..., np.ndarray]:
    def make(count: int = 32, seed: int = 1) -> np.ndarray:
        return np.random.default_rng(seed).integers(-128, 128, (count, 49, 10)).astype(np.int8)

    return make


@pytest.fixture(scope="session")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some hundred recordings in the layout of Speech Commands; the processes of one run share them."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "recordings"
    with FileLock(folder.with_suffix(".lock")):
        if not (folder / "complete").exists():
            provide(folder)
            (folder / "complete").touch()
    return folder


@pytest.fixture(scope="session")
def prepared(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    spec = FeatureSpec()
    listing = speech_commands.scan(recordings, spec.clip_samples)
    folder = tmp_path_factory.mktemp("prepared")
    return dataset.prepare(listing, folder, spec.rate_hz, spec.clip_samples, lambda *_: None)
