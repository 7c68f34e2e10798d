"""A custom keyword: a phrase, and perhaps some recordings of it -> a streamed model with a threshold.

Folder of one keyword:
    graph.npz, detector.json     the model and its threshold
    golden.npz                   windows and their scores, for exports and boards
    keyword.json                 the plan, and the figures of the report
    float/last.safetensors       the float network
    work/                        what engines said, scenes; an interrupted run continues from it
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from edgekws import models
from edgekws.data.phrase import speaking
from edgekws.data.phrase.bank import Bank
from edgekws.data.phrase.scenes import Material, scene
from edgekws.detect import settings as detector
from edgekws.errors import ConfigError
from edgekws.files import read_json, write_json
from edgekws.graph import io
from edgekws.pipeline.keyword import judgement, scenery, sound, speech
from edgekws.pipeline.keyword.plan import RATE_HZ, Folder, KeywordPlan
from edgekws.pipeline.keyword.sound import TEST, TRAINING, VALIDATION
from edgekws.types import Progress

KIND, VERSION = "edgekws-keyword", 1
FILE, _PLAN = "keyword.json", "plan.json"
_HELD_OUT_FROM, _EVERY = 20, 5
"""From so many recordings on, every fifth is kept for the report."""
_TYPICAL_SCENES = 120


def make(plan: KeywordPlan, folder: Folder, progress: Progress) -> dict[str, Any]:
    """Make the keyword, or continue an interrupted run; returns what keyword.json holds.

    Raises ConfigError without a speech engine, for a phrase that is too long, and for a folder of another plan;
    DataError for recordings that are unreadable or silent.
    """
    started = time.monotonic()
    speaking.engines(plan.engines)
    _claim(plan, folder)
    recordings, tests = _split(plan)
    recorded = sound.phrases(recordings)
    said = speech.speak(plan, folder, recorded, progress)
    real = sound.long_audio(plan.backgrounds, "--background", plan.seed, progress)
    noises = sound.clips(plan.noises, "--noise")
    material = Material(
        said.phrase.kept,
        recorded,
        said.near,
        real[TRAINING] + said.free,
        noises,
        sound.clips(plan.rooms, "--rooms"),
        RATE_HZ,
    )
    figures = _learned(plan, folder, material, said, real, sound.phrases(tests), progress)
    document = {
        "kind": KIND,
        "version": VERSION,
        "plan": plan.to_json(),
        "speech": {"said": dict(said.phrase.said), "refused": said.phrase.refused, "near misses": len(said.near)},
        "recordings": {"trained": len(recordings), "held_out": len(tests)},
        **figures,
        "seconds": round(time.monotonic() - started, 1),
    }
    write_json(folder.path / FILE, document)
    return document


def _learned(
    plan: KeywordPlan,
    folder: Folder,
    material: Material,
    said: speech.Speech,
    real: dict[str, Bank],
    tests: Bank,
    progress: Progress,
) -> dict[str, Any]:
    """Train, quantize, choose the threshold; the figures."""
    from edgekws.pipeline.keyword import network
    from edgekws.training import init
    from edgekws.training.phrase import start

    initial = init.load(plan.start)
    rows = start.pool_rows(_long(material.synthetic + material.recorded), initial.features)
    spec = start.front_end(initial, rows, _typical(material, plan.seed))
    if not (folder.work / f"material-{scenery.BANKS[-1]}.npz").exists():
        scenery.keep(material, folder.work)
    long = material.speech + material.near + material.noises
    floats, pools = network.trained(plan, folder, initial, spec, rows, long, progress)
    graph = network.integers(plan, floats, pools, spec, {"plan": plan.digest(), "checkpoint": initial.sha256})
    io.save(graph, folder.graph)
    network.write_golden(folder.path / models.GOLDEN, graph, pools, spec)
    listener = judgement.Listener(graph, len(graph.labels) - 1)
    streams = judgement.streams(listener, real, said.untrained, plan.seed, progress)
    chosen = judgement.threshold(streams[VALIDATION], plan.phrase, plan.smoothing_steps, plan.budget_per_hour)
    how = {"by": "edgekws keyword", "budget_per_hour": plan.budget_per_hour, "expected": chosen.expected_per_hour}
    ready = detector.Settings(
        chosen.settings.keywords,
        chosen.settings.thresholds_permille,
        chosen.settings.smoothing_steps,
        chosen.settings.refractory_steps,
        how,
    )
    detector.save(ready, folder.path / detector.FILE, io.digest(graph))
    return {
        "graph_sha256": io.digest(graph),
        "threshold": ready.thresholds_permille[0],
        "validation": {**judgement.background(streams[VALIDATION], ready), "expected": chosen.expected_per_hour},
        "test": judgement.background(streams[TEST], ready),
        "phrases": judgement.phrases(listener.said(tests, material.noises, plan.seed), ready),
    }


def _split(plan: KeywordPlan) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """(recordings to train on, recordings for the report): every fifth of many is held out, unless tests are given."""
    if plan.tests or len(plan.recordings) < _HELD_OUT_FROM:
        return plan.recordings, plan.tests
    trained = tuple(path for number, path in enumerate(plan.recordings) if number % _EVERY)
    return trained, plan.recordings[::_EVERY]


def _claim(plan: KeywordPlan, folder: Folder) -> None:
    """Raises ConfigError when the folder holds the parts of another plan."""
    path = folder.work / _PLAN
    if path.exists():
        before = read_json(path, KIND, VERSION)
        if before.get("digest") != plan.digest():
            differing = [key for key, value in plan.to_json().items() if before.get("plan", {}).get(key) != value]
            raise ConfigError(
                f"{folder.path} should be a new folder, or that of the same command",
                got="one made with other " + ", ".join(differing),
                hint=f"give another --out, or delete {folder.path}",
            )
        return
    write_json(path, {"kind": KIND, "version": VERSION, "digest": plan.digest(), "plan": plan.to_json()})


def _long(clips: Bank) -> float:
    """Seconds that nine of ten clips do not exceed."""
    return float(np.percentile([len(clip) for clip in clips.clips], 90)) / RATE_HZ


def _typical(material: Material, seed: int) -> np.ndarray:
    """int16 [n, samples] of two seconds: scenes of all kinds."""
    rng, kinds = np.random.default_rng([seed, 1]), list(scenery.SHARES)
    made = [scene(material, kinds[number % len(kinds)], 2 * RATE_HZ, RATE_HZ, rng) for number in range(_TYPICAL_SCENES)]
    return np.stack([each.samples for each in made])
