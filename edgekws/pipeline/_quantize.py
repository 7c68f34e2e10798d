"""float network -> integer graph: bits per layer, PTQ, QAT, and accuracies."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgekws import machine
from edgekws.data import dataset as datasets
from edgekws.data.dataset import Dataset
from edgekws.data.labels import require_equal
from edgekws.features import cache
from edgekws.files import read_json, sha256, write_json, write_text
from edgekws.graph import interp, io
from edgekws.graph.ir import Graph
from edgekws.pipeline._train import with_figures
from edgekws.stats import wilson
from edgekws.training.trained import Trained
from edgekws.types import Progress

if TYPE_CHECKING:
    import torch

    from edgekws.quant.mixed import Mixed
    from edgekws.quant.mixed.budget import Budget
    from edgekws.quant.network import QuantNet
    from edgekws.training.processes import Group

KIND, VERSION = "edgekws-quantize", 1
CALIBRATION = "calibration.txt"
"""The clips used for calibration; its hash is in the graph, and a recipe may name it as calibration_list."""
_QAT_SCHEDULE = {"warmup_epochs": 0.2, "weight_decay": 0.0, "ema_decay": 0.0, "teachers": (), "patience": None}
"""No moving average: averaged weights round to other integers, worst at 2 bits."""
_STARTS_FROM = {
    "target", "weight_bits", "layers", "calibration", "calibration_clips", "calibration_list", "headroom_bits",
    "equalize", "correct_bias", "reconstruct", "freeze_at",
}  # fmt: skip
"""The fields of the recipe that determine the initial weights of QAT."""


def quantize(trained: Trained, data: Dataset, out: Path, progress: Progress) -> Graph:
    """PTQ, then QAT when the recipe says so; lower to graph.npz and score both networks.

    Under torchrun every process calls it with the same arguments, and the first one writes. QAT then has slots.
    """
    from edgekws.training import processes, slots

    plan = slots.planned(trained.recipe.train, machine.place().count)
    trained = replace(trained, recipe=trained.recipe.model_copy(update={"train": plan}))
    with processes.joined(processes.CPU) as group, slots.one_thread(plan):
        graph = _quantize_together(trained, data, out, progress, group)
        group.wait()  # until the files are there
    return graph


def _quantize_together(trained: Trained, data: Dataset, out: Path, progress: Progress, group: Group) -> Graph:
    from edgekws.quant import lower, ptq
    from edgekws.quant.frontends import torch_fx

    require_equal(trained.labels, data.labels, f"the data set {data.name}")
    plan = trained.recipe.quant
    with group.leader_first():
        for name in data.splits:
            cache.features_of(data, name, trained.features)
    inputs, clip_ids = _calibration(trained, data)
    spec = trained.features
    network = ptq.quantize(
        torch_fx.trace(trained.network, spec.shape), inputs, plan, spec.network_scale, spec.network_zero
    )
    if plan.method == "qat":
        lower.lower(
            network, trained.features, trained.labels, trained.recipe.name
        )  # raises for illegal layers before the training
        _qat(network, trained, data, out, progress, group)
    listed = "\n".join(clip_ids) + "\n"
    provenance = {
        "dataset": data.sha256,
        "checkpoint": trained.sha256,
        "calibration": sha256(listed.encode()),
        "method": plan.method,
    }
    graph = lower.lower(network, trained.features, trained.labels, trained.recipe.name, provenance)
    if group.leads:
        write_text(out / CALIBRATION, listed)
        _write_results(trained, network, graph, data, out)
    return graph


def _write_results(trained: Trained, network: QuantNet, graph: Graph, data: Dataset, out: Path) -> None:
    scores = _scores(trained, network, graph, data)
    io.save(graph, out / "graph.npz")
    report = {"kind": KIND, "version": VERSION, "graph": io.digest(graph), "recipe": trained.recipe.to_json()}
    write_json(
        out / "quantize.json",
        {**report, "dataset": {"name": data.name, "sha256": data.sha256, "notes": data.notes}, "scores": scores},
    )


def search(
    trained: Trained, data: Dataset, budget: Budget, out: Path, progress: Progress, device: str, pinned: dict[str, int]
) -> Mixed:
    """Bits per layer within `budget`: `edgekws.quant.mixed.search` on the recipe's calibration clips."""
    from edgekws.quant import mixed

    require_equal(trained.labels, data.labels, f"the data set {data.name}")
    inputs, _ = _calibration(trained, data)
    return mixed.search(trained, data, inputs, budget, out, progress, device, pinned)


def read_scores(path: Path) -> dict[str, Any]:
    """quantize.json: recipe, data set and accuracies. Raises ArtifactError for another file."""
    return read_json(path, KIND, VERSION)


def _calibration(trained: Trained, data: Dataset) -> tuple[torch.Tensor, list[str]]:
    """Training clips, listed in a file or drawn at random by the recipe's seed: (network inputs, ids)."""
    from edgekws.training.scoring import network_input

    plan, ids = trained.recipe.quant, data.splits["train"].ids
    features = cache.features_of(data, "train", trained.features)
    if plan.calibration_list is None:
        chosen = np.sort(
            np.random.default_rng(trained.recipe.seed).permutation(len(features))[: plan.calibration_clips]
        )
    else:
        chosen = datasets.read_clip_list(data, "train", Path(plan.calibration_list))
    return network_input(features[chosen], trained.features), [ids[index] for index in chosen]


def _qat(network: QuantNet, trained: Trained, data: Dataset, out: Path, progress: Progress, group: Group) -> None:
    """Fine-tune `network` in place, with the float network as teacher."""
    from edgekws.quant.weighted import Weighted
    from edgekws.training import loop
    from edgekws.training.task import Task

    plan = trained.recipe.quant
    epochs, rate = plan.schedule(min(layer.bits for layer in network if isinstance(layer, Weighted)))
    schedule = trained.recipe.train.model_copy(update={"epochs": epochs, "learning_rate": rate, **_QAT_SCHEDULE})
    recipe, teacher = trained.recipe, trained.network
    task = Task(data, trained.features, recipe.augment, schedule, recipe.seed, teacher, quantized=True)
    header = {
        "quant": plan.model_dump(mode="json", include=_STARTS_FROM) | ({"start": "ptq"} if plan.start == "ptq" else {}),
        **({"patterns": list(plan.layers.items())} if len(plan.layers) > 1 else {}),  # the last match wins
        "schedule": schedule.model_dump(mode="json"),
        "augment": asdict(task.augment),
        "seed": task.seed,
        "scales": [layer.s_out for layer in network],  # from calibration
        "float": trained.sha256,
        "dataset": data.sha256,
    }
    run = sha256(json.dumps(header, sort_keys=True).encode())[:8]  # another plan gets a folder of its own
    loop.fit(network, task, out / "quant" / run, header, with_figures(progress, "quantize"), group)


def _scores(trained: Trained, network: QuantNet, graph: Graph, data: Dataset) -> dict[str, Any]:
    """Accuracy on validation and test, float and integers, with Wilson intervals.

    And, by layer, the number of integers in which the torch forward pass and the interpreter differ.
    """
    from edgekws.training.scoring import logits_of

    scores: dict[str, Any] = {}
    for name in ("validation", "test"):
        features, labels = cache.features_of(data, name, trained.features), data.splits[name].labels
        real = logits_of(trained.network, features, trained.features).numpy()
        integers, differing = _compared(network, graph, cache.int8_features(data, name, trained.features))
        scores[name] = {
            "float": _accuracy(real, labels),
            "graph": _accuracy(integers, labels),
            "differing_by_layer": differing,
            "differing_integers": sum(differing.values()),
            "integers": len(labels) * sum(math.prod(node.out_shape) for node in graph.nodes),
        }
    return scores


def _compared(
    network: QuantNet, graph: Graph, features: np.ndarray, chunk: int = 64
) -> tuple[np.ndarray, dict[str, int]]:
    """(scores of the interpreter, integers that differ in the torch forward pass, by layer). features: int8."""
    import torch

    network.eval()
    differing, scores = dict.fromkeys((node.name for node in graph.nodes), 0), []
    for at in range(0, len(features), chunk):
        part = features[at : at + chunk]
        with torch.no_grad():
            torch_layers = list(network.integers(network.real(torch.from_numpy(part))[:, None]))
        interp_layers = interp.trace(graph, interp.as_input(graph, part))
        for (name, integers), (node, expected) in zip(torch_layers, interp_layers, strict=True):
            height, width, channels = node.out_shape
            ordered = integers.reshape(len(part), channels, height, width).permute(0, 2, 3, 1).numpy()
            differing[name] += int((ordered != expected).sum())
        scores.append(expected.reshape(len(part), -1))
    return np.concatenate(scores), differing


def _accuracy(scores: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    hits = int((scores.argmax(axis=1) == labels).sum())
    interval = wilson(hits, len(labels))
    return {"accuracy": hits / len(labels), "n": len(labels), "interval": [interval.low, interval.high]}
