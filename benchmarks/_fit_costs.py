"""Instruction costs of a core, fitted to layers that were counted on a board.

The model is linear in the costs of edgekws.targets.Costs; a fitted value includes packing, requantization
and storing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from edgekws.graph.ir import Node
from edgekws.targets import Costs, instructions


@dataclass(frozen=True)
class Counted:
    """One layer and its instructions on a board."""

    node: Node
    instructions: float


def fit(layers: Sequence[Counted]) -> Costs:
    """The costs with the least squares of relative errors; none is negative. Costs that no layer shows are 0."""
    terms = np.array([_terms(layer.node) for layer in layers]) / np.array([[layer.instructions] for layer in layers])
    used = terms.any(axis=0)
    while True:
        costs = np.zeros(terms.shape[1])
        costs[used] = np.linalg.lstsq(terms[:, used], np.ones(len(terms)), rcond=None)[0]
        if (costs >= 0).all():
            return Costs(*map(float, costs))
        used &= costs >= 0


def errors(layers: Sequence[Counted], costs: Costs) -> np.ndarray:
    """(estimated - counted) / counted of each layer, float64."""
    return np.array([instructions(layer.node, costs) / layer.instructions - 1 for layer in layers])


def _terms(node: Node) -> list[float]:
    """What each of the costs is multiplied by."""
    units = np.eye(len(fields(Costs)))
    return [instructions(node, Costs(*unit)) for unit in units]
