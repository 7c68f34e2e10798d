"""The cost model of our kernels: fitted costs, and what a report says of its error."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import _fit_costs
from benchmarks._fit_costs import Counted
from edgekws.graph import io
from edgekws.targets import KERNEL_COSTS, Costs, instructions
from firmware_io import board as boards
from tests.graphs import random_dag

ROOT = Path(__file__).resolve().parents[2]
TRUE = Costs(0.8, 6.0, 20.0, 1.4, 8.0, 0.5, 2.0)


def layers(costs: Costs, noise: float = 0.0) -> list[Counted]:
    rng = np.random.default_rng(0)
    nodes = [node for seed in range(20) for node in random_dag(seed).nodes]
    return [Counted(node, instructions(node, costs) * rng.uniform(1 - noise, 1 + noise)) for node in nodes]


def test_the_costs_that_were_counted_are_found():
    found = _fit_costs.fit(layers(TRUE))
    assert vars(found) == pytest.approx(vars(TRUE), rel=1e-6)
    assert np.abs(_fit_costs.errors(layers(TRUE), found)).max() < 1e-6


def test_noise_stays_in_the_errors():
    counted = layers(TRUE, noise=0.2)
    found = _fit_costs.fit(counted)
    estimated, true = (sum(instructions(c.node, costs) for c in counted) for costs in (found, TRUE))
    assert estimated == pytest.approx(true, rel=0.1)
    assert 0.05 < np.abs(_fit_costs.errors(counted, found)).mean() < 0.15


def test_no_cost_is_negative_and_what_was_not_seen_costs_nothing():
    free = _fit_costs.fit(layers(Costs(1.0, 0.0, 9.0, 2.0, 0.0, 1.0, 3.0), noise=0.3))
    assert min(vars(free).values()) >= 0
    only = [layer for layer in layers(TRUE) if layer.node.op == "depthwise_conv2d"]
    assert _fit_costs.fit(only).mac == 0 and _fit_costs.fit(only).value == 0


@pytest.mark.parametrize("name", [name for name in boards.names() if boards.load(name).how == "emulated"])
def test_the_model_is_near_the_counts_that_are_published(name):
    """The released DS-CNN: estimated against benchmarks/results/instructions.json."""
    counted = json.loads((ROOT / "benchmarks" / "results" / "instructions.json").read_text())[name]["w8"]
    costs = KERNEL_COSTS[boards.load(name).cpu]
    estimated = sum(instructions(node, costs) for node in io.load(ROOT / "models" / "dscnn" / "graph.npz").nodes)
    assert estimated == pytest.approx(counted["instructions"], rel=0.1)
