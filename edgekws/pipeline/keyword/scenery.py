"""Scenes as inputs of the network, made by all cores, in files of a hundred that an interrupted run keeps."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from edgekws import machine
from edgekws.data.phrase import bank, scenes
from edgekws.data.phrase.bank import Bank
from edgekws.data.phrase.scenes import NEAR, NOISE, PHRASE, SPEECH, Material
from edgekws.data.reject import noise
from edgekws.errors import ArtifactError
from edgekws.features import extract
from edgekws.features.spec import FeatureSpec
from edgekws.files import npz_arrays, npz_bytes, read_content, write_bytes
from edgekws.types import Progress

SHARES = {PHRASE: 0.38, NEAR: 0.24, SPEECH: 0.28, NOISE: 0.1}
"""Of the scenes by kind."""
EXTRA_STEPS = 24
"""Steps of a scene beyond its first window."""
_PER_FILE = 100
_NOISES, _NOISE_S = 80, 5
_LEVELS_DBFS = (-40.0, -16.0)
BANKS = ("synthetic", "recorded", "near", "speech", "noises", "rooms")
"""Files of clips that a process reads: the fields of Material."""


@dataclass(frozen=True)
class Shape:
    """samples: of a scene. earliest: the first sample at which the phrase may end."""

    samples: int
    earliest: int


def shape(spec: FeatureSpec, stride: int, smoothing_steps: int) -> Shape:
    """Of scenes for windows of `spec`, whose steps are `stride` frames apart."""
    step = stride * spec.hop_samples
    return Shape(
        spec.clip_samples + EXTRA_STEPS * step,
        spec.clip_samples + (smoothing_steps - 1) * step - int(0.28 * spec.rate_hz),
    )


def keep(material: Material, folder: Path) -> None:
    """Write the clips of the material where the processes read them, and synthesized noises with them."""
    kinds = [name for name in noise.KINDS if name != "digital silence"]
    made = [
        noise.make(kinds[number % len(kinds)], number, _NOISE_S * material.rate_hz, material.rate_hz)
        for number in range(_NOISES)
    ]
    synthesized = Bank(tuple(made), tuple(f"synthesized/{number}" for number in range(_NOISES)))
    for name in BANKS:
        clips: Bank = getattr(material, name)
        (clips + synthesized if name == "noises" else clips).save(folder / f"material-{name}.npz")


def read(folder: Path, rate_hz: int) -> Material:
    """What `keep` wrote."""
    synthetic, recorded, near, speech, noises, rooms = (bank.load(folder / f"material-{name}.npz") for name in BANKS)
    return Material(synthetic, recorded, near, speech, noises, rooms, rate_hz)


def make(
    folder: Path, spec: FeatureSpec, form: Shape, count: int, seed: int, progress: Progress
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Kind -> inputs int8 [n, frames, coefficients] and ends int64 [n], of about `count` scenes in all.

    folder: has what `keep` wrote. What an interrupted run made is read again.
    """
    jobs = [
        (kind, number)
        for kind, share in SHARES.items()
        for number in range(max(1, round(count * share / _PER_FILE)))
        if not _path(folder, kind, number).exists()
    ]
    with _workers(len(jobs), (folder, spec, form, seed)) as pool:
        for done, _ in enumerate(pool.map(_make, jobs), 1):
            progress("scenes", done, len(jobs))
    return {kind: _joined(folder, kind) for kind in SHARES}


def _workers(jobs: int, given: tuple[Path, FeatureSpec, Shape, int]) -> ProcessPoolExecutor:
    """Fresh processes: this one may have threads of torch, which a fork would not survive."""
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(max(1, min(machine.cores(), jobs)), context, initializer=_start, initargs=given)


class _Worker:
    """What a process was started with."""

    given: tuple[Path, FeatureSpec, Shape, int]
    material: Material


def _start(folder: Path, spec: FeatureSpec, form: Shape, seed: int) -> None:
    _Worker.given, _Worker.material = (folder, spec, form, seed), read(folder, spec.rate_hz)


def _make(job: tuple[str, int]) -> None:
    kind, number = job
    folder, spec, form, seed = _Worker.given
    rng = np.random.default_rng([seed, number, *kind.encode()])
    made = [scenes.scene(_Worker.material, kind, form.samples, form.earliest, rng) for _ in range(_PER_FILE)]
    inputs = inputs_of(spec, np.stack([scene.samples for scene in made]))
    ends = np.array([scene.end for scene in made], np.int64)
    write_bytes(_path(folder, kind, number), npz_bytes({"inputs": inputs, "ends": ends}))


def inputs_of(spec: FeatureSpec, samples: np.ndarray) -> np.ndarray:
    """int16 [n, samples] -> int8 [n, frames, coefficients], by the front end of `spec`, of any length."""
    return extract.quantized(replace(spec, clip_samples=samples.shape[1]), samples)


def long_inputs(spec: FeatureSpec, clips: Bank, seed: int) -> list[np.ndarray]:
    """int8 [frames, coefficients] of each clip, at a level drawn for it."""
    return list(_long_inputs(spec, clips, np.random.default_rng(seed)))


def _long_inputs(spec: FeatureSpec, clips: Bank, rng: np.random.Generator) -> Iterator[np.ndarray]:
    for clip in clips.clips:
        at_level = levelled(clip, float(rng.uniform(*_LEVELS_DBFS)))
        yield extract.front_end(spec).push(at_level)


def levelled(clip: np.ndarray, dbfs: float) -> np.ndarray:
    """int16 [n] -> the same sound, whose loud parts have this mean power relative to full scale; int16 [n]."""
    wide = clip.astype(np.float64)
    loud = wide[np.abs(wide) > 0.05 * max(float(np.abs(wide).max(initial=0)), 1)]
    power = float(np.sqrt(np.mean(loud**2))) if len(loud) else 0.0
    gain = 32_767 * 10 ** (dbfs / 20) / power if power else 0.0
    return np.asarray(np.clip(np.round(wide * gain), -32_768, 32_767), np.int16)


def _joined(folder: Path, kind: str) -> tuple[np.ndarray, np.ndarray]:
    parts = [_load(path) for path in sorted(folder.glob(f"scenes-{kind}-*.npz"))]
    return np.concatenate([part["inputs"] for part in parts]), np.concatenate([part["ends"] for part in parts])


def _load(path: Path) -> dict[str, np.ndarray]:
    hint = "delete it, and the same command makes it again"
    arrays = npz_arrays(read_content(path, "a file of scenes", hint), f"{path}: a file of scenes", hint)
    if set(arrays) != {"inputs", "ends"}:
        raise ArtifactError(f"{path} should be a file of scenes", got=", ".join(arrays), hint=hint)
    return arrays


def _path(folder: Path, kind: str, number: int) -> Path:
    return folder / f"scenes-{kind}-{number:04d}.npz"
