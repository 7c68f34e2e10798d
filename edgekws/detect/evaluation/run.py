"""An evaluation from folders to the document: streams are heard, thresholds chosen on validation, figures on test."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from edgekws.detect.detector import BINS, bins_of
from edgekws.detect.evaluation import choice, figures, hearing, scenes
from edgekws.detect.evaluation import document as doc
from edgekws.detect.evaluation.scenes import Condition
from edgekws.detect.evaluation.streams import Heard, hours
from edgekws.detect.listener import Scorer
from edgekws.detect.settings import Gate, Settings
from edgekws.errors import DataError
from edgekws.graph import io
from edgekws.graph.ir import Graph
from edgekws.types import Progress


@dataclass(frozen=True)
class Inputs:
    """Folders and recordings of one part. negatives: without any keyword; synthetic: likewise, spoken by a program.

    positives: a folder of recordings for each word, or long recordings with label tracks. noise, rooms: what the words
    are embedded in.
    """

    positives: tuple[Path, ...] = ()
    negatives: tuple[Path, ...] = ()
    synthetic: tuple[Path, ...] = ()
    noise: tuple[Path, ...] = ()
    rooms: tuple[Path, ...] = ()


def inputs_below(folder: Path) -> Inputs:
    """A folder with positives/, negatives/, and perhaps synthetic/, noise/ and rooms/. Raises DataError for another."""
    names = ("positives", "negatives", "synthetic", "noise", "rooms")
    there = {name: (folder / name,) for name in names if (folder / name).is_dir()}
    missing = [f"{name}/" for name in names[:2] if name not in there]
    if missing:
        hint = "put recordings of the words into positives/WORD/, and sound without them into negatives/"
        raise DataError(
            f"{folder} should hold positives/ and negatives/", got=f"no {' and no '.join(missing)}", hint=hint
        )
    return Inputs(**there)


@dataclass(frozen=True)
class Options:
    """snrs_db: of the scenes; None is no noise. tau_ms: how long after a word's end a hit may come. gate: of the
    detector that is chosen or judged.
    """

    snrs_db: tuple[float | None, ...] = (None, 20.0, 10.0)
    tau_ms: float = 500.0
    seed: int = 0
    engine: str | None = None
    gate: Gate | None = None


@dataclass
class Part:
    """The streams of one part, heard. faults: what went wrong, each a sentence."""

    background: list[Heard] = field(default_factory=list)
    scenes: list[Heard] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def evaluate(self, settings: Settings, tau_ms: float) -> doc.Evaluation:
        return figures.evaluate(self.background, self.scenes, settings, tau_ms)


def hear(graph: Graph, keywords: tuple[str, ...], inputs: Inputs, options: Options, report: Progress) -> Part:
    """Every stream of a part, once. Raises DataError for folders without what they should hold, and as Scorer."""
    part, made = Part(), list[Scorer]()

    def make() -> Scorer:
        made.append(Scorer(graph, keywords, options.engine, options.gate))
        return made[-1]

    for path in (*inputs.negatives, *inputs.synthetic):
        is_synthetic = path in inputs.synthetic
        paths = hearing.recordings(path)
        part.background.append(hearing.background(path.name, paths, make(), part.faults, report, is_synthetic))
    labelled = [path for path in inputs.positives if hearing.has_labels(path)]
    for path in labelled:
        part.scenes += hearing.labelled(path, keywords, make, part.faults)
    folders = [path for path in inputs.positives if path not in labelled]
    if folders:
        composed = _compose(folders, keywords, inputs, options, make().clock.rate_hz, part.faults)
        part.scenes += hear_scenes(composed, make, part.faults, report)
    if options.gate is not None:
        part.faults.append(_resting(made, options.gate))
    return part


def _resting(scorers: Sequence[Scorer], gate: Gate) -> str:
    """What a gate spares; scorers: each at the end of its stream."""
    steps = [(each.samples - each.clock.first) // each.clock.step + 1 for each in scorers if each.samples]
    shares = [each.resting or 0.0 for each in scorers if each.samples]
    share = sum(share * count for share, count in zip(shares, steps, strict=True)) / max(sum(steps), 1)
    kind = f"margin {gate.margin}, hangover {gate.hangover_steps} steps"
    return f"behind a gate ({kind}) the network rested in {share:.1%} of the steps"


def hear_scenes(
    composed: Iterable[scenes.Scene], make: hearing.MakeScorer, faults: list[str], report: Progress
) -> list[Heard]:
    """Scenes as they are composed, each heard from its beginning."""
    heard, lost = [], 0
    for number, scene in enumerate(composed):
        report("hear words", number, number + 1)
        heard.append(hearing.of_scene(scene, make()))
        lost += len(scene.words) - scene.located
    report("hear words", len(heard), len(heard))
    if lost:
        faults.append(f"{lost} words do not stand out of their noise: their recordings count from end to end")
    return heard


def _compose(
    folders: Sequence[Path],
    keywords: tuple[str, ...],
    inputs: Inputs,
    options: Options,
    rate_hz: int,
    faults: list[str],
) -> Iterable[scenes.Scene]:
    """The scenes of words in folders."""
    spoken = [each for path in folders for each in hearing.spoken(path, keywords, rate_hz, faults)]
    noises = [each for path in inputs.noise for each in hearing.noises(hearing.recordings(path), rate_hz, faults)]
    rooms = [each for path in inputs.rooms for each in hearing.rooms(hearing.recordings(path), rate_hz)]
    return compose(spoken, noises, rooms, options, rate_hz, faults)


def compose(
    spoken: Sequence[scenes.Spoken],
    noises: Sequence[np.ndarray],
    rooms: Sequence[scenes.Room],
    options: Options,
    rate_hz: int,
    faults: list[str],
) -> Iterable[scenes.Scene]:
    """The scenes of the options. Without noise recordings there are only clean ones, which is a fault."""
    audible = scenes.noise_parts(noises)
    snrs = tuple(snr for snr in options.snrs_db if snr is None or audible)
    if len(snrs) < len(options.snrs_db):
        faults.append("there are no recordings of noise: words are heard without any; give some with --noise")
    each: list[Condition] = scenes.conditions(snrs or (None,), rooms)
    return scenes.compose(spoken, audible, each, rate_hz, options.seed)


def chosen(part: Part, base: Settings, budget_per_hour: float, tau_ms: float, latency_ms: float = math.inf) -> Settings:
    """The detector for a budget, with how it was chosen: choice.choose. base: its keywords and refractory time."""
    result = choice.choose(
        part.background,
        part.scenes,
        base.keywords,
        base.refractory_steps,
        budget_per_hour,
        tau_ms,
        latency_ms=latency_ms,
    )
    how: dict[str, Any] = {
        "by": "edgekws detect-eval",
        "budget_per_hour": budget_per_hour,
        "tau_ms": tau_ms,
        "validation_hours": round(hours(part.background), 4),
        "validation_false_accepts": result.observed,
        "expected_per_hour": round(result.expected_per_hour, 4),
        "validation_words": result.words,
        "validation_missed": result.missed,
        "validation_p95_ms": round(result.p95_ms, 1) if math.isfinite(result.p95_ms) else None,
        "histogram": histogram(part.background, len(base.keywords)).tolist(),
    }
    return replace(result.settings, how=how, gate=base.gate)


def histogram(streams: Sequence[Heard], keywords: int) -> np.ndarray:
    """int64 [keywords, BINS]: the posteriors of streams, as a detector in the field counts them."""
    counts = np.zeros((keywords, BINS), np.int64)
    for stream in streams:
        for number in range(keywords):
            counts[number] += np.bincount(bins_of(stream.posteriors[:, number]), minlength=BINS)
    return counts


def document(
    graph: Graph,
    model: str,
    executor: str,
    settings: Settings,
    test: tuple[Part, doc.Evaluation],
    validation: tuple[Part, doc.Evaluation] | None,
    tau_ms: float,
) -> doc.Document:
    """report.json."""
    part = test[0]
    clock = next(stream.clock for stream in (*part.background, *part.scenes))
    return doc.Document(
        kind="edgekws-detection",
        version=1,
        model=model,
        graph_sha256=io.digest(graph),
        executor=executor,
        detector=doc.Detector(
            smoothing_steps=settings.smoothing_steps,
            refractory_steps=settings.refractory_steps,
            step_ms=clock.step_ms,
            tau_ms=tau_ms,
            thresholds_from=str(settings.how.get("by", "unknown")),
        ),
        budget_per_hour=settings.how.get("budget_per_hour"),
        validation=validation[1] if validation else None,
        test=test[1],
        notes=tuple(dict.fromkeys((*(validation[0].faults if validation else ()), *part.faults))),
    )
