"""The arrows of the design, each one function: data set -> checkpoint -> graph -> artifacts.

Folder of one model:
    float/best.safetensors     trained network           float/log.csv, float/curves.svg
    quant/<plan>/best.safetensors    quantization-aware, if the recipe asks for it
    graph.npz                  the integer graph, which everything after it is made from
    quantize.json              accuracy of the float network and of the graph, and their inputs
    export/                    artifacts, golden.npz, parity.json, manifest.json
"""

from __future__ import annotations

import inspect
import json
import platform
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgekws import __version__, plugs
from edgekws.data import dataset as datasets
from edgekws.data.dataset import Dataset
from edgekws.errors import ArtifactError, ConfigError, DataError, ParityError
from edgekws.features import cache
from edgekws.features.spec import FeatureSpec
from edgekws.files import (
    read_json,
    sha256,
    sha256_file,
    write_bytes,
    write_json,
)
from edgekws.graph import interp, io
from edgekws.graph.ir import Graph
from edgekws.recipe import Recipe, changed
from edgekws.stats import wilson
from edgekws.types import Interval, Manifest, Measurement, Progress

if TYPE_CHECKING:
    import torch
    from torch import nn

    from edgekws.budget import Budget
    from edgekws.mixed import Mixed
    from edgekws.quant.network import QuantNet

QUANTIZE_KIND, PARITY_KIND = "edgekws-quantize", "edgekws-parity"
VERSION = 1
_QAT_SCHEDULE = {"warmup_epochs": 0.2, "weight_decay": 0.0, "ema_decay": 0.0, "teachers": ()}
"""No moving average: means of weights between two integers round to other integers, worst at 2 bits."""
_STARTS_FROM = {
    "target", "weight_bits", "layers", "calibration", "calibration_clips", "calibration_list", "headroom_bits",
    "equalize", "correct_bias", "reconstruct", "freeze_steps_at",
}  # fmt: skip
"""What decides where a training of the integers begins."""
_PACKAGES = ("numpy", "torch", "onnx", "onnxruntime", "ai-edge-litert")


@dataclass(frozen=True)
class Trained:
    """A float network and what it was trained with. `network` is in eval mode."""

    network: nn.Module
    recipe: Recipe
    features: FeatureSpec
    labels: tuple[str, ...]
    sha256: str


@dataclass(frozen=True)
class Parity:
    """One runtime of one artifact against the interpreter. `differences` counts integers out of `values`."""

    artifact: str
    runtime: str
    clips: int
    values: int
    differences: int
    largest: int


def sources() -> list[str]:
    """The data plugs: modules of edgekws/data that list recordings."""
    return [name for name in plugs.names("data") if hasattr(plugs.load("data", name), "scan")]


def prepare(source: str, root: Path, out: Path, progress: Progress) -> Dataset:
    """List `root` with the data plug `source` and decode it into `out`."""
    spec = FeatureSpec()
    if source not in sources():
        raise ConfigError(f"the source should be one of {', '.join(sources())}", got=source)
    listing = plugs.load("data", source).scan(root, spec.clip_samples)
    return datasets.prepare(listing, out, spec.rate_hz, spec.clip_samples, progress)


def train(recipe: Recipe, data: Dataset, out: Path, progress: Progress) -> Path:
    """Train the float network of `recipe`; continue where an earlier run was stopped."""
    import torch

    from edgekws import curves
    from edgekws import train as training

    features = cache.fit_spec(data, FeatureSpec(), lambda done, total: progress("features", done, total))
    torch.manual_seed(recipe.seed)
    network = _build(recipe, len(data.labels))
    teacher = _teacher(recipe, data, features)
    task = training.Task(data, features, recipe.augment, recipe.train, recipe.seed, teacher)
    header = training_header(recipe, data, features)
    best = training.fit(network, task, out / "float", header, _labelled(progress, "train"))
    curves.draw(out / "float" / training.LOG, out / "float" / "curves.svg")
    return best


def training_header(recipe: Recipe, data: Dataset, features: FeatureSpec) -> dict[str, Any]:
    """What a checkpoint says about its training; a run continues only under the same header."""
    clips = np.bincount(data.splits["train"].labels, minlength=len(data.labels))
    teachers = [sha256_file(Path(path)) for path in recipe.train.teachers]
    return {
        **({"teachers": teachers} if teachers else {}),
        "recipe": recipe.model_dump(mode="json", exclude={"quant": True, "train": {"teachers"}}),
        "labels": list(data.labels),
        "features": features.to_json(),
        "dataset": {"name": data.name, "sha256": data.sha256, "clips_per_label": clips.tolist()},
    }


def _teacher(recipe: Recipe, data: Dataset, features: FeatureSpec) -> nn.Module | None:
    """The mean of the recipe's teachers. Raises ArtifactError when one was trained on other labels or features."""
    from edgekws import checkpoint
    from edgekws.train import Ensemble

    networks = []
    for path in map(Path, recipe.train.teachers):
        saved = checkpoint.load(path)
        run = saved.header["run"]
        for key, wanted in (("labels", list(data.labels)), ("features", json.loads(json.dumps(features.to_json())))):
            if run[key] != wanted:
                hint = "teachers and pupil are trained on one prepared data set"
                raise ArtifactError(f"the teacher {path} should have this data set's {key}", got="others", hint=hint)
        network = _build(changed(recipe, **run["recipe"]), len(data.labels))
        checkpoint.load_into(network, saved.groups["model"], path)
        networks.append(network)
    return Ensemble(networks) if networks else None


def load_trained(path: Path, recipe: Recipe) -> Trained:
    """The network of a finished training; its own recipe, with the quantization that `recipe` asks for.

    Raises ArtifactError when the checkpoint is missing, damaged, of another network than the recipe's, or
    of a training that is not finished.
    """
    from edgekws import checkpoint
    from edgekws.train import correct_prior

    saved = checkpoint.load(path)
    run = saved.header["run"]
    used = changed(recipe, **run["recipe"])
    if used.net != recipe.net:
        raise ArtifactError(
            f"{path} should be of the network {recipe.net.name} with {recipe.net.options}",
            got=f"{used.net.name} with {used.net.options}",
            hint="use the recipe that it was trained with, or train again in another folder",
        )
    _require_finished(path, used)
    network = _build(used, len(run["labels"]))
    checkpoint.load_into(network, saved.groups["model"], path)
    if used.train.prior_correction:
        correct_prior(network, run["dataset"]["clips_per_label"], used.train)
    network.eval()
    return Trained(network, used, FeatureSpec.from_json(run["features"]), tuple(run["labels"]), sha256_file(path))


def quantize(trained: Trained, data: Dataset, out: Path, progress: Progress) -> Graph:
    """PTQ, then QAT when the recipe says so; lower to graph.npz and score both networks."""
    from edgekws.quant import lower, ptq, trace

    _require_labels(trained.labels, data)
    plan = trained.recipe.quant
    inputs, clip_ids = _calibration(trained, data)
    network = ptq.quantize(trace.trace(trained.network), inputs, plan)
    if plan.method == "qat":
        _qat(network, trained, data, out, progress)
    provenance = {
        "dataset": data.sha256,
        "checkpoint": trained.sha256,
        "calibration": sha256("\n".join(clip_ids).encode()),
        "method": plan.method,
    }
    graph = lower.lower(network, trained.features, trained.labels, trained.recipe.name, provenance)
    scores = _scores(trained, network, graph, data)
    io.save(graph, out / "graph.npz")
    report = {"kind": QUANTIZE_KIND, "version": VERSION, "graph": io.digest(graph), "recipe": trained.recipe.to_json()}
    write_json(
        out / "quantize.json",
        {**report, "dataset": {"name": data.name, "sha256": data.sha256, "notes": data.notes}, "scores": scores},
    )
    return graph


def search(
    trained: Trained, data: Dataset, budget: Budget, out: Path, progress: Progress, device: str, pinned: dict[str, int]
) -> Mixed:
    """The bits of each layer that `budget` allows: `edgekws.mixed.search` on the recipe's calibration clips."""
    from edgekws import mixed

    _require_labels(trained.labels, data)
    inputs, _ = _calibration(trained, data)
    return mixed.search(trained, data, inputs, budget, out, progress, device, pinned)


def export(graph: Graph, out: Path, features: np.ndarray, progress: Progress) -> list[Parity]:
    """Write every artifact that there is an emitter for, run it on `features` and compare with the interpreter.

    features: int8 [n, frames, coefficients]. Differences are counted, and `require_parity` judges them.
    """
    expected = interp.run(graph, features)
    kinds = plugs.names("emit")
    results: list[Parity] = []
    hashes: dict[str, str] = {}
    for number, kind in enumerate(kinds):
        progress("export", number, len(kinds))
        emitter = plugs.load("emit", kind)
        files: dict[str, bytes] = emitter.emit(graph)
        folder = out / kind if len(files) > 1 else out
        for name, content in files.items():
            write_bytes(folder / name, content)
            hashes[(folder / name).relative_to(out).as_posix()] = sha256(content)
        for runtime, execute in getattr(emitter, "executors", lambda _: {})(files).items():
            results.append(compare(kind, runtime, execute, features, expected))
    progress("export", len(kinds), len(kinds))
    write_json(out / "manifest.json", _manifest(graph, hashes))
    return results


def compare(
    artifact: str, runtime: str, execute: Callable[[np.ndarray], np.ndarray], features: np.ndarray, expected: np.ndarray
) -> Parity:
    """Run one executor on `features` and count the integers that differ from `expected`."""
    gaps = np.abs(execute(features).astype(int) - expected.astype(int))
    return Parity(artifact, runtime, len(features), gaps.size, int((gaps > 0).sum()), int(gaps.max(initial=0)))


def write_parity(path: Path, graph: Graph, results: list[Parity]) -> None:
    rows = [asdict(result) for result in results]
    write_json(path, {"kind": PARITY_KIND, "version": VERSION, "graph": io.digest(graph), "results": rows})


def read_scores(path: Path) -> dict[str, Any]:
    """What `quantize` wrote: recipe, data set and accuracies."""
    return read_json(path, QUANTIZE_KIND, VERSION)


def require_parity(results: list[Parity]) -> None:
    """Raises ParityError when an artifact that claims to be exact differs from the interpreter."""
    wrong = [r for r in results if r.differences and r.runtime not in _may_differ(r.artifact)]
    if wrong:
        shown = "; ".join(f"{r.artifact} in {r.runtime}: {r.differences} of {r.values} integers" for r in wrong)
        raise ParityError("every exact artifact should equal the interpreter", got=shown)


def _may_differ(artifact: str) -> Mapping[str, str]:
    """Runtimes of an artifact that cannot always be exact -> why."""
    excused: Mapping[str, str] = getattr(plugs.load("emit", artifact), "MAY_DIFFER", {})
    return excused


def figures(out: Path, data: Dataset) -> list[Measurement]:
    """The accuracies that `quantize` computed on this machine."""
    rows = read_scores(out / "quantize.json")["scores"]
    named = (("float", "float network"), ("graph", "integer graph"))
    return [
        Measurement(
            f"top-1 accuracy of the {what}, {data.name} {split}",
            row[key]["accuracy"],
            "share",
            "computed",
            row[key]["n"],
            Interval(*row[key]["interval"]),
        )
        for split, row in rows.items()
        for key, what in named
    ]


def parity_rows(path: Path, graph: Graph) -> list[dict[str, Any]]:
    """What `export` found about this very graph, for a report; nothing when it has not run."""
    if not path.exists():
        return []
    document = read_json(path, PARITY_KIND, VERSION)
    if document["graph"] != io.digest(graph):
        return []
    keys = ("artifact", "runtime", "differences")
    return [{**{key: row[key] for key in keys}, "n": row["clips"]} for row in document["results"]]


def manifests(out: Path, data: Dataset, graph: Graph) -> dict[str, Manifest]:
    """Where the data, the network and the graph came from."""
    quantized = read_scores(out / "quantize.json")
    software = versions()
    return {
        "data": Manifest("data set", {data.name: data.sha256}, notes=data.notes),
        "graph": Manifest("graph", {**graph.provenance, "graph": io.digest(graph)}, quantized["recipe"], software),
    }


def versions() -> dict[str, str]:
    """What a manifest says about the software."""
    packages = {name: metadata.version(name) for name in _PACKAGES}
    return {"edgekws": __version__, "python": platform.python_version(), **packages}


def _build(recipe: Recipe, labels: int) -> nn.Module:
    build = plugs.load("nets", recipe.net.name).build
    known = set(inspect.signature(build).parameters) - {"labels"}
    unknown = sorted(set(recipe.net.options) - known)
    if unknown:
        raise ConfigError(f"net.options of {recipe.net.name} are {', '.join(sorted(known))}", got=", ".join(unknown))
    network: nn.Module = build(labels, **recipe.net.options)
    return network


def _require_finished(best: Path, recipe: Recipe) -> None:
    """A released checkpoint stands alone; in a training's folder the last one says how far it got."""
    from edgekws import checkpoint
    from edgekws.train import LAST

    if not (best.parent / LAST).exists():
        return
    done = checkpoint.load(best.parent / LAST).header["epoch"] + 1
    if done < recipe.train.epochs:
        raise ArtifactError(
            f"the training in {best.parent} should be finished",
            got=f"epoch {done} of {recipe.train.epochs}",
            hint="run edgekws train again, it continues there",
        )


def _labelled(progress: Progress, what: str) -> Callable[[int, int, dict[str, float]], None]:
    def show(done: int, total: int, figures: dict[str, float]) -> None:
        text = ", ".join(f"{key} {value:.3g}" for key, value in figures.items())
        progress(f"{what} ({text})", done, total)

    return show


def _require_labels(labels: tuple[str, ...], data: Dataset) -> None:
    if labels != data.labels:
        raise DataError(
            f"the data set should have the labels that the network was trained on: {', '.join(labels)}",
            got=", ".join(data.labels),
            hint="give the data set of the training with --data",
        )


def _calibration(trained: Trained, data: Dataset) -> tuple[torch.Tensor, list[str]]:
    """Training clips, listed in a file or drawn by the recipe's seed: (network inputs, ids)."""
    from edgekws.train import network_input

    plan, ids = trained.recipe.quant, data.splits["train"].ids
    features = cache.features_of(data, "train", trained.features)
    if plan.calibration_list is None:
        chosen = np.sort(
            np.random.default_rng(trained.recipe.seed).permutation(len(features))[: plan.calibration_clips]
        )
    else:
        chosen = datasets.listed(data, "train", Path(plan.calibration_list))
    return network_input(features[chosen], trained.features), [ids[index] for index in chosen]


def _qat(network: QuantNet, trained: Trained, data: Dataset, out: Path, progress: Progress) -> None:
    """Fine-tune `network` in place, the float network as teacher."""
    from edgekws import train as training

    plan = trained.recipe.quant
    epochs, rate = plan.schedule()
    schedule = trained.recipe.train.model_copy(update={"epochs": epochs, "learning_rate": rate, **_QAT_SCHEDULE})
    task = training.Task(data, trained.features, trained.recipe.augment, schedule, trained.recipe.seed, trained.network)
    header = {
        "quant": plan.model_dump(mode="json", include=_STARTS_FROM),
        "schedule": schedule.model_dump(mode="json"),
        "augment": asdict(task.augment),
        "seed": task.seed,
        "scales": [stage.s_out for stage in network],  # what calibration found
        "float": trained.sha256,
        "dataset": data.sha256,
    }
    run = sha256(json.dumps(header, sort_keys=True).encode())[:8]  # another plan is another run, not an error
    training.fit(network, task, out / "quant" / run, header, _labelled(progress, "quantize"))


def _scores(trained: Trained, network: QuantNet, graph: Graph, data: Dataset) -> dict[str, Any]:
    """Accuracy on validation and test, float and integers, with Wilson intervals; and their agreement."""
    from edgekws.train import logits_of

    scores: dict[str, Any] = {}
    for name in ("validation", "test"):
        features, labels = cache.features_of(data, name, trained.features), data.splits[name].labels
        real = logits_of(trained.network, features, trained.features).numpy()
        modelled = logits_of(network, features, trained.features).numpy() / network.score_scale
        integers = interp.run(graph, cache.int8_features(data, name, trained.features))
        scores[name] = {
            "float": _accuracy(real, labels),
            "graph": _accuracy(integers, labels),
            "differing_integers": int((np.rint(modelled) != integers).sum()),
            "integers": int(integers.size),
        }
    return scores


def _accuracy(scores: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    hits = int((scores.argmax(axis=1) == labels).sum())
    interval = wilson(hits, len(labels))
    return {"accuracy": hits / len(labels), "n": len(labels), "interval": [interval.low, interval.high]}


def _manifest(graph: Graph, hashes: dict[str, str]) -> dict[str, Any]:
    notes = {kind: getattr(plugs.load("emit", kind), "NOTE", "") for kind in plugs.names("emit")}
    return {
        "kind": "edgekws-manifest",
        "version": VERSION,
        "graph": io.digest(graph),
        "provenance": graph.provenance,
        "target": graph.target,
        "rounding": notes,
        "files": hashes,
        "versions": versions(),
    }
