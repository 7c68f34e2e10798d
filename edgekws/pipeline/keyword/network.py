"""The training of a keyword's network, and its integers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgekws.data.labels import SILENCE, UNKNOWN
from edgekws.data.phrase.bank import Bank
from edgekws.data.phrase.scenes import NEAR, NOISE, PHRASE
from edgekws.graph.ir import Graph
from edgekws.pipeline.keyword import scenery
from edgekws.pipeline.keyword.plan import Folder, KeywordPlan
from edgekws.recipe import QuantSection
from edgekws.types import Progress

if TYPE_CHECKING:
    from torch import nn

    from edgekws.features.spec import FeatureSpec
    from edgekws.training.init import Initial
    from edgekws.training.phrase.fit import Pools

_CALIBRATION = 1024
_GOLDEN, _AFTER_S = 16, 0.15


def labels(phrase: str) -> tuple[str, ...]:
    """Of the network's scores, in order."""
    return SILENCE, UNKNOWN, phrase


def trained(
    plan: KeywordPlan,
    folder: Folder,
    initial: Initial,
    spec: FeatureSpec,
    rows: int,
    long: Bank,
    progress: Progress,
) -> tuple[nn.Sequential, Pools]:
    """The float network, and what it was trained on. rows: of its pool. long: sound without the phrase to mine."""
    from edgekws.training.phrase import fit, start
    from edgekws.training.phrase.network import STRIDE

    form = scenery.shape(spec, STRIDE, plan.smoothing_steps)
    made = scenery.make(folder.work, spec, form, plan.scenes, plan.seed, progress)
    mined = scenery.long_inputs(spec, long, plan.seed)
    pools = fit.Pools({kind: fit.Scenes(*scenes) for kind, scenes in made.items()}, mined)
    schedule = fit.Plan(plan.steps, smoothing=plan.smoothing_steps, pool_rows=rows, seed=plan.seed)
    network = start.build(initial, len(labels(plan.phrase)), plan.seed)

    def show(done: int, total: int, at: dict[str, float]) -> None:
        progress(f"train (loss {at['loss']:.3f})", done, total)

    header = {"plan": plan.digest(), "start": initial.sha256}
    return fit.fit(network, pools, spec, schedule, folder.path / "float", header, show), pools


def integers(
    plan: KeywordPlan,
    network: nn.Sequential,
    pools: Pools,
    spec: FeatureSpec,
    provenance: dict[str, str],
) -> Graph:
    """The graph of 8-bit weights, legal on TI's NPU. Raises TargetError where it is not."""
    from edgekws.quant import lower, ptq
    from edgekws.quant.frontends import torch_fx
    from edgekws.training.phrase import fit

    windows = _windows(pools, spec.frames, np.random.default_rng(plan.seed))
    inputs = fit.network_input(windows, spec)
    section = QuantSection(method="ptq", equalize=True)
    layers = torch_fx.trace(network, spec.shape)
    quantized = ptq.quantize(layers, inputs, section, spec.network_scale, spec.network_zero)
    name = "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in plan.phrase.lower())
    return lower.lower(quantized, spec, labels(plan.phrase), name, provenance)


def write_golden(path: Path, graph: Graph, pools: Pools, spec: FeatureSpec) -> None:
    """Golden vectors for exports and boards: windows that end shortly after the phrase, of near misses and of noise."""
    from edgekws.graph import golden

    features, truth, ids = [], [], []
    for kind, label in ((NOISE, SILENCE), (NEAR, UNKNOWN), (PHRASE, graph.labels[-1])):
        scenes = pools.scenes[kind]
        for number in range(_GOLDEN):
            end = int(scenes.ends[number]) + int(_AFTER_S * spec.rate_hz) - spec.clip_samples
            start = min(max(end // spec.hop_samples, 0), scenes.inputs.shape[1] - spec.frames)
            features.append(scenes.inputs[number, start : start + spec.frames])
            truth.append(graph.labels.index(label))
            ids.append(f"{kind} {number}")
    golden.write(path, graph, np.stack(features), np.array(truth), ids)


def _windows(pools: Pools, frames: int, rng: np.random.Generator) -> np.ndarray:
    """int8 [_CALIBRATION, frames, coefficients] from all kinds of scenes in turn."""
    kinds = list(pools.scenes.values())
    results = []
    for number in range(_CALIBRATION):
        inputs = kinds[number % len(kinds)].inputs
        scene = inputs[int(rng.integers(len(inputs)))]
        start = int(rng.integers(len(scene) - frames + 1))
        results.append(scene[start : start + frames])
    return np.stack(results)
