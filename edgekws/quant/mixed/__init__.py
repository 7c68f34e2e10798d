"""Mixed precision for a trained network: search bits per layer for a budget, verify by PTQ, write the result.

mixed.json   kind "edgekws-mixed", version 1
    budget           as given
    target, device   whose bit widths, rules and cycles apply
    layers           names of the layers with weights; `bits` lists below follow this order
    chosen           layer -> bits, as quant.layers of a recipe
    float            accuracy and balanced_accuracy of the float network
    clips            number of validation clips that all accuracies are of
    options          layer -> cost and added error of each width
    front            the Pareto front of cost and predicted error, cheapest first
    measured         networks that were quantized and scored: the chosen one, candidates, and uniform widths
Networks have bits, flash_bytes (weights and requantization parameters, as Graph.parameter_bytes), latency_seconds
(estimated; null where the device's clock is unknown), predicted_error (mean divergence of the class probabilities
from the float network's on calibration clips, nats), accuracy and balanced_accuracy (mean of the classes' shares;
both on validation clips after PTQ, null where not measured).
pareto.svg shows front and measured.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from edgekws import targets
from edgekws.errors import ConfigError
from edgekws.features import cache
from edgekws.files import write_json
from edgekws.quant.mixed import plot
from edgekws.quant.mixed.budget import Budget, Kind, format_limit

if TYPE_CHECKING:
    import numpy as np
    import torch
    from torch import nn

    from edgekws.data.dataset import Dataset
    from edgekws.graph.ir import Graph
    from edgekws.quant.mixed.front import Option, Point
    from edgekws.quant.network import QuantNet
    from edgekws.training.scoring import Score
    from edgekws.training.trained import Trained
    from edgekws.types import Progress

KIND, VERSION = "edgekws-mixed", 1
_CANDIDATES = 31
"""Points of the front that `drop` searches; with one more these are 5 or 6 trials."""
_TRIALS = 6
_ROUNDING = 1e-6


@dataclass(frozen=True)
class Mixed:
    """The result of a search.

    scores: bits of all layers -> accuracies on validation clips, of the networks that were quantized.
    uniform: the networks with one width for all layers. clock_hz: None where the device's is not known.
    """

    budget: Budget
    target: str
    device: str
    clock_hz: float | None
    layers: tuple[str, ...]
    options: dict[str, tuple[Option, ...]]
    front: tuple[Point, ...]
    uniform: tuple[Point, ...]
    candidates: tuple[Point, ...]
    chosen: Point
    scores: dict[tuple[int, ...], Score]
    float_score: Score
    clips: int

    @property
    def bits(self) -> dict[str, int]:
        """Layer -> bits of the chosen network."""
        return dict(zip(self.layers, self.chosen.bits, strict=True))

    @property
    def measured(self) -> list[Point]:
        """The networks whose accuracy was measured, by flash."""
        points = {point.bits: point for point in (*self.uniform, *self.candidates, self.chosen)}
        known = [point for bits, point in points.items() if bits in self.scores]
        return sorted(known, key=lambda point: point.flash_bytes)

    def latency(self, point: Point) -> float | None:
        """Estimated seconds."""
        return point.cycles / self.clock_hz if self.clock_hz else None


def search(
    trained: Trained,
    data: Dataset,
    inputs: torch.Tensor,
    budget: Budget,
    out: Path,
    progress: Progress,
    device: str = "",
    pinned: Mapping[str, int] | None = None,
) -> Mixed:
    """Find the bits of each layer; write mixed.json and pareto.svg to `out`. `pipeline.search` calls it.

    inputs: calibration clips, float32 [n, 1, frames, coefficients].
    device: one of the target's, by default its first. pinned: patterns of layers -> bits that are given.
    Raises ConfigError for a budget that no network meets, with the smallest that one does.
    """
    from edgekws.quant.mixed.front import Point, pareto_front

    name = trained.recipe.quant.target
    target, hardware = targets.load(f"{name}:{device}" if device else name)
    clock = hardware.clock_hz.value if hardware.clock_hz else None
    _require_feasible(trained, budget, (target, hardware), pinned or {}, clock)
    trial = _Trial(trained, data, inputs, progress, 1 if budget.kind != "drop" else _TRIALS)
    start, options = trial.options(target, hardware, dict(pinned or {}))
    front = pareto_front(start, options.values(), "cycles" if budget.kind == "latency" else "flash_bytes")
    widest = reduce(Point.extended, (row[0] for row in options.values()), start)
    candidates = _candidates(front, widest) if budget.kind == "drop" else front
    chosen = _choose(trial, budget, candidates, clock)
    trial.finished()
    result = Mixed(
        budget, name, hardware.name, clock, tuple(options), options, tuple(front), _uniform(start, options),
        tuple(candidates), chosen, trial.scores, trial.float_score, len(trial.truth),
    )  # fmt: skip
    write_json(out / "mixed.json", document(result))
    _draw(result, out / "pareto.svg")
    return result


def _require_feasible(
    trained: Trained,
    budget: Budget,
    device: tuple[targets.Target, targets.Device],
    pinned: Mapping[str, int],
    clock: float | None,
) -> None:
    """Raises ConfigError, before the search, for a budget below what the narrowest or fastest widths cost."""
    from edgekws.quant.mixed import feasible

    if budget.kind == "latency":
        if clock is None:
            raise ConfigError("a latency needs a device whose clock is known", got=budget.text, hint="give --device")
        least = feasible.least(trained, *device, pinned, "cycles") / clock
    elif budget.kind == "flash":
        least = feasible.least(trained, *device, pinned, "flash_bytes")
    if budget.kind != "drop" and budget.limit < least - _ROUNDING * least:
        _refuse(budget, budget.kind, least)


class _Trial:
    """Quantizes the network with calibration clips and caches the scores."""

    def __init__(self, trained: Trained, data: Dataset, inputs: torch.Tensor, progress: Progress, last: int) -> None:
        """last: networks that are scored after the uniform ones, at most."""
        from edgekws.quant import ptq
        from edgekws.quant.frontends import torch_fx

        self.trained, self.inputs, self.progress = trained, inputs, progress
        self.plan = trained.recipe.quant.model_copy(update={"method": "ptq"})
        self.layers = ptq.expressible(torch_fx.trace(trained.network, trained.features.shape), self.plan.target)
        self.features = cache.features_of(data, "validation", trained.features)
        self.truth: np.ndarray = data.splits["validation"].labels
        self.names: tuple[str, ...] = ()
        self.scores: dict[tuple[int, ...], Score] = {}
        self.done, self.total, self.last = 0, 1, last
        self.float_score = self._score(trained.network)

    def options(
        self, target: targets.Target, device: targets.Device, pinned: Mapping[str, int]
    ) -> tuple[Point, dict[str, tuple[Option, ...]]]:
        """(the part common to all networks, layer -> its options). Also scores the uniform networks."""
        from edgekws.quant.mixed.options import layer_options, without_weights
        from edgekws.quant.mixed.sensitivity import Sensitivity
        from edgekws.quant.widths import layer_bits

        given = {name: bits for name, bits in layer_bits(self.layers, 0, pinned).items() if bits}
        self.names = tuple(layer_bits(self.layers, 0, {}))
        self.total = len(target.WEIGHT_BITS) * (1 + len(self.names)) + self.last + 1
        networks = {bits: self._uniform(bits) for bits in target.WEIGHT_BITS}
        graphs = {bits: self._graph(network) for bits, network in networks.items()}
        sensitivity = Sensitivity(networks, self.inputs, self.plan.correct_bias)

        def added(name: str, bits: int) -> float:
            self._step("errors layer by layer")
            return sensitivity.added(name, bits)

        options = layer_options(graphs, target, device, added, given)
        return without_weights(graphs[max(graphs)], target, device, sensitivity.base), options

    def score(self, bits: tuple[int, ...]) -> Score:
        """On validation clips, of the network with these bits after PTQ."""
        if bits not in self.scores:
            self._step(f"network {len(self.scores) + 1} on validation clips")
            self.scores[bits] = self._score(self._quantized(dict(zip(self.names, bits, strict=True))))
        return self.scores[bits]

    def finished(self) -> None:
        """The search is over; a bisection may have taken fewer steps than it might have."""
        self.progress("search (finished)", self.total, self.total)

    def _step(self, what: str) -> None:
        """Report that `what` begins; each network and each error of a layer is one step."""
        self.progress(f"search ({what})", min(self.done, self.total - 1), self.total)
        self.done += 1

    def lost(self, bits: tuple[int, ...]) -> float:
        """Points of accuracy that PTQ loses against float: over all clips or as mean of classes, whichever is larger.

        A split may hold few clips of some words and many of none. Accuracy over all clips hardly changes when the
        network no longer recognizes a rare word; the mean of classes alone may depend on a few clips.
        """
        now, before = self.score(bits), self.float_score
        gaps = before.accuracy - now.accuracy, before.balanced_accuracy - now.balanced_accuracy
        return 100 * max(gaps)

    def _uniform(self, bits: int) -> QuantNet:
        self._step(f"all layers at {bits} bits")
        network = self._quantized(dict.fromkeys(self.names, bits))
        self.scores[(bits,) * len(self.names)] = self._score(network)
        return network

    def _quantized(self, bits: dict[str, int]) -> QuantNet:
        from edgekws.quant import ptq

        spec, plan = self.trained.features, self.plan.model_copy(update={"layers": bits})
        return ptq.quantize(self.layers, self.inputs, plan, spec.network_scale, spec.network_zero)

    def _graph(self, network: QuantNet) -> Graph:
        from edgekws.quant import lower

        return lower.lower(network, self.trained.features, self.trained.labels, self.trained.recipe.name, strict=False)

    def _score(self, network: nn.Module) -> Score:
        from edgekws.training.scoring import score

        return score(network, self.features, self.truth, self.trained.features)


def _candidates(front: Sequence[Point], widest: Point) -> list[Point]:
    """Part of the front, and the widest network if it costs more: it is the safest where predicted errors are wrong."""
    from edgekws.quant.mixed.front import thinned

    points = thinned(front, _CANDIDATES)
    return [*points, widest] if widest.flash_bytes > points[-1].flash_bytes else points


def _choose(trial: _Trial, budget: Budget, candidates: Sequence[Point], clock: float | None) -> Point:
    from edgekws.quant.mixed.front import best_within, cheapest_satisfying

    if budget.kind == "drop":
        cheapest = cheapest_satisfying(candidates, lambda point: trial.lost(point.bits) <= budget.limit + _ROUNDING)
        known = [trial.lost(point.bits) for point in candidates if point.bits in trial.scores]
        return cheapest or _refuse(budget, "drop", min(known))
    if budget.kind == "flash":
        chosen = best_within(candidates, "flash_bytes", math.floor(budget.limit + _ROUNDING))
        chosen = chosen or _refuse(budget, "flash", candidates[0].flash_bytes)
    else:
        if clock is None:
            raise ConfigError("a latency needs a device whose clock is known", got=budget.text, hint="give --device")
        chosen = best_within(candidates, "cycles", math.floor(budget.limit * clock + _ROUNDING))
        chosen = chosen or _refuse(budget, "latency", candidates[0].cycles / clock)
    trial.score(chosen.bits)
    return chosen


def _refuse(budget: Budget, kind: Kind, least: float) -> NoReturn:
    reason = {
        "flash": "weights and requantization parameters with all layers as narrow as the target allows",
        "latency": "estimated with the fastest width of every layer",
        "drop": "the smallest loss of PTQ on validation clips, over all or as mean of classes; QAT may lose less",
    }[kind]
    raise ConfigError(
        f"the budget should be at least {kind}={format_limit(kind, least)}", got=budget.text, hint=f"that is {reason}"
    )


def _uniform(start: Point, options: Mapping[str, Sequence[Option]]) -> tuple[Point, ...]:
    """The networks of one width that the options allow."""
    from edgekws.quant.mixed.front import Point

    rows = [{option.bits: option for option in row} for row in options.values()]
    common = set.intersection(*(set(row) for row in rows))
    return tuple(reduce(Point.extended, (row[bits] for row in rows), start) for bits in sorted(common, reverse=True))


def document(result: Mixed) -> dict[str, Any]:
    """The content of mixed.json."""
    return {
        "kind": KIND,
        "version": VERSION,
        "budget": result.budget.text,
        "target": result.target,
        "device": result.device,
        "layers": list(result.layers),
        "chosen": result.bits,
        "float": _accuracies(result.float_score),
        "clips": result.clips,
        "options": {name: [_figures(result, option) for option in row] for name, row in result.options.items()},
        "front": [_figures(result, point) for point in result.front],
        "measured": [_figures(result, point) for point in result.measured],
    }


def _figures(result: Mixed, item: Option | Point) -> dict[str, Any]:
    seconds = item.cycles / result.clock_hz if result.clock_hz else None
    row = {"bits": item.bits, "flash_bytes": item.flash_bytes, "latency_seconds": seconds}
    if isinstance(item.bits, int):
        return {**row, "added_error": item.error}
    return {**row, "predicted_error": item.error, **_accuracies(result.scores.get(item.bits))}


def _accuracies(score: Score | None) -> dict[str, float | None]:
    if score is None:
        return {"accuracy": None, "balanced_accuracy": None}
    return {"accuracy": score.accuracy, "balanced_accuracy": score.balanced_accuracy}


def _draw(result: Mixed, picture: Path) -> None:
    by_time = result.budget.kind == "latency"

    def cost(point: Point) -> float:
        return 1e3 * (result.latency(point) or 0.0) if by_time else point.flash_bytes / 1e3

    label = "estimated latency, ms" if by_time else "weights and requantization parameters, kB"
    errors = [(cost(point), point.error) for point in result.front]
    accuracies = [(cost(point), 100 * result.scores[point.bits].balanced_accuracy) for point in result.measured]
    plot.draw(picture, label, errors, accuracies, cost(result.chosen), 100 * result.float_score.balanced_accuracy)
