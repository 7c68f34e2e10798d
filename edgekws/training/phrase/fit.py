"""The training of a phrase's network on scenes, with hard negatives that it finds itself."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from edgekws.features.spec import FeatureSpec
from edgekws.training import checkpoint, optimizer
from edgekws.training.phrase.loss import SILENCE, UNKNOWN, WORD, Batch, loss, smoothed
from edgekws.training.phrase.network import STRIDE, frames_of, logits

_DETECTED_S = (0.04, 0.32)
"""After the end of the phrase, its detection counts."""
_SAVE_EVERY, _EMA = 50, 0.995
_MINED_AT = (0.35, 0.6, 0.8)

Progress = Callable[[int, int, dict[str, float]], None]


@dataclass(frozen=True)
class Plan:
    """shares: of each kind of scene in a batch. smoothing: steps of the detector. pool_rows: of the window."""

    steps: int = 3000
    batch: int = 96
    learning_rate: float = 2e-3
    weight_decay: float = 1e-3
    smoothing: int = 4
    pool_rows: int = 25
    seed: int = 0
    shares: tuple[tuple[str, float], ...] = (
        ("phrase", 0.34),
        ("near", 0.2),
        ("speech", 0.24),
        ("noise", 0.08),
        ("hard", 0.14),
    )


@dataclass
class Scenes:
    """inputs: int8 [n, frames, coefficients]. ends: int64 [n], the sample after the phrase, -1 without it."""

    inputs: np.ndarray
    ends: np.ndarray


@dataclass
class Pools:
    """Scenes by kind, and long audio without the phrase, int8 [frames, coefficients] each, that is mined."""

    scenes: dict[str, Scenes]
    long: Sequence[np.ndarray] = field(default_factory=list)


def fit(
    network: nn.Sequential,
    pools: Pools,
    spec: FeatureSpec,
    plan: Plan,
    folder: Path,
    header: dict[str, Any],
    progress: Progress,
) -> nn.Sequential:
    """Train in place; returns the moving average of the weights, in eval mode. Continues an interrupted run.

    spec: of the window. Raises ArtifactError for a damaged checkpoint.
    """
    run = _Run(network, pools, spec, plan, folder, header)
    first = run.resume()
    mined = {round(plan.steps * share) for share in _MINED_AT}
    for step in range(first, plan.steps):
        if step in mined:
            run.mine()
        figures = run.step(step)
        progress(step + 1, plan.steps, figures)
        if (step + 1) % _SAVE_EVERY == 0 or step + 1 == plan.steps:
            run.save(step)
    return run.average.eval()


class _Run:
    def __init__(
        self, network: nn.Sequential, pools: Pools, spec: FeatureSpec, plan: Plan, folder: Path, header: dict[str, Any]
    ) -> None:
        self.network, self.pools, self.spec, self.plan = network, pools, spec, plan
        self.path, self.header = folder / checkpoint.LAST, header
        self.average = copy.deepcopy(network)
        groups = optimizer.parameter_groups(network, plan.weight_decay)
        self.optimizer = torch.optim.AdamW(groups, lr=plan.learning_rate)
        self.recent: list[float] = []
        torch.manual_seed(plan.seed)

    def resume(self) -> int:
        """The step to continue with."""
        if not self.path.exists():
            return 0
        saved = checkpoint.load(self.path)
        if saved.header.get("run") != self.header:
            return 0
        checkpoint.load_into(self.network, saved.groups["model"], self.path)
        checkpoint.load_into(self.average, saved.groups["average"], self.path)
        optimizer.load_state(self.optimizer, saved.groups["optimizer"])
        step = int(saved.header["step"]) + 1
        if "hard" in saved.groups:
            inputs = saved.groups["hard"]["inputs"].numpy()
            self.pools.scenes["hard"] = Scenes(inputs, np.full(len(inputs), -1, np.int64))
        return step

    def save(self, step: int) -> None:
        groups = {
            "model": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": optimizer.state_tensors(self.optimizer),
        }
        if "hard" in self.pools.scenes:
            groups["hard"] = {"inputs": torch.from_numpy(self.pools.scenes["hard"].inputs)}
        checkpoint.save(self.path, {"run": self.header, "step": step}, groups)

    def step(self, step: int) -> dict[str, float]:
        plan = self.plan
        self.network.train()
        for group in self.optimizer.param_groups:
            group["lr"] = plan.learning_rate * optimizer.schedule(step, plan.steps, plan.steps * 0.03)
        batch = drawn(self.pools, self.spec, plan, np.random.default_rng([plan.seed, step]))
        self.optimizer.zero_grad()
        value = loss(logits(self.network, batch.inputs, plan.pool_rows), batch, plan.smoothing)
        value.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimizer.step()
        optimizer.update_average(self.average, self.network, min(_EMA, (step + 1) / (step + 10)))
        self.recent = [*self.recent[-49:], float(value.detach())]
        return {"loss": float(np.mean(self.recent))}

    def mine(self) -> None:
        """Add the windows of long audio that the network takes for the phrase; the recent ones first."""
        frames = self.pools.scenes["phrase"].inputs.shape[1]
        found = hardest(self.average, self.pools.long, self.spec, self.plan, frames)
        if not len(found):
            return
        before = self.pools.scenes.get("hard")
        inputs = np.concatenate([found, before.inputs])[:4000] if before else found
        self.pools.scenes["hard"] = Scenes(inputs, np.full(len(inputs), -1, np.int64))


def hardest(
    network: nn.Sequential, long: Sequence[np.ndarray], spec: FeatureSpec, plan: Plan, frames: int, most: int = 1200
) -> np.ndarray:
    """int8 [n, frames, coefficients] of long audio around the highest posteriors, above 0.02 and a scene apart."""
    rng, found = np.random.default_rng(plan.seed), []
    for inputs in long:
        if len(inputs) < frames:
            continue
        posterior = posteriors(network, inputs, spec, plan)
        for _ in range(12):
            at = int(posterior.argmax())
            if posterior[at] < 0.02:
                break
            middle = at * STRIDE + frames_of(plan.pool_rows) - int(rng.integers(frames // 4))
            start = min(max(0, middle - frames + frames // 4), len(inputs) - frames)
            found.append((float(posterior[at]), inputs[start : start + frames]))
            posterior[max(0, at - 20) : at + 20] = 0
    found.sort(key=lambda each: -each[0])
    return np.stack([each for _, each in found[:most]]) if found else np.zeros((0, frames, spec.coefficients), np.int8)


@torch.no_grad()
def posteriors(network: nn.Sequential, inputs: np.ndarray, spec: FeatureSpec, plan: Plan) -> np.ndarray:
    """Smoothed posterior of the phrase over long audio, float32 [steps]. inputs: int8 [frames, coefficients]."""
    network.eval()
    return smoothed(logits(network, network_input(inputs[None], spec), plan.pool_rows), plan.smoothing)[0].numpy()


def network_input(inputs: np.ndarray, spec: FeatureSpec) -> torch.Tensor:
    """int8 [n, frames, coefficients] -> float32 [n, 1, frames, coefficients]."""
    steps = inputs.astype(np.float32) - np.float32(spec.network_zero)
    return torch.from_numpy(steps * np.float32(spec.network_scale))[:, None]


def drawn(pools: Pools, spec: FeatureSpec, plan: Plan, rng: np.random.Generator) -> Batch:
    """A batch with the plan's shares of each kind of scene that there is."""
    there = {kind: share for kind, share in plan.shares if kind in pools.scenes and len(pools.scenes[kind].ends)}
    inputs, ends, truth, uniform = [], [], [], []
    for kind, share in there.items():
        count = max(1, round(plan.batch * share / sum(there.values())))
        scenes = pools.scenes[kind]
        chosen = rng.integers(len(scenes.ends), size=count)
        inputs.append(scenes.inputs[chosen])
        ends.append(scenes.ends[chosen])
        truth += [{"phrase": WORD, "noise": SILENCE}.get(kind, UNKNOWN)] * count
        uniform += [kind in ("noise", "speech")] * count
    shift = int(rng.integers(STRIDE))  # the phase of the stride
    together = np.concatenate(inputs)[:, shift:]
    first, last = _allowed(np.concatenate(ends), shift, spec, plan)
    as_tensor = torch.from_numpy
    return Batch(
        network_input(together, spec),
        as_tensor(first),
        as_tensor(last),
        torch.tensor(truth),
        torch.tensor(uniform).float(),
    )


def _allowed(ends: np.ndarray, shift: int, spec: FeatureSpec, plan: Plan) -> tuple[np.ndarray, np.ndarray]:
    """The steps whose windows end when the phrase may be detected."""
    window = (frames_of(plan.pool_rows) - 1 + shift) * spec.hop_samples + spec.window_samples
    step = STRIDE * spec.hop_samples
    first, last = ((ends + seconds * spec.rate_hz - window) / step for seconds in _DETECTED_S)
    has = ends >= 0
    first = np.where(has, np.maximum(np.ceil(first), 0), -1)
    return first.astype(np.int64), np.where(has, last, -1).astype(np.int64)
