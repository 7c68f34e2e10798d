"""Augmentation and features of a batch in torch, on the device that trains: a CPU could not feed a GPU.

The same steps, and the same random numbers, as edgekws.data.augment and edgekws.features.mfcc; these define what is
meant, and here the sums of float32 have another order.
"""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from edgekws.data.augment import AugmentSpec, Draws, Masks, draw, draw_masks, masked, resampling
from edgekws.features import extract
from edgekws.features.mfcc import tables
from edgekws.features.spec import INPUT_MAX, INPUT_MIN, FeatureSpec
from edgekws.training.scoring import network_input
from edgekws.training.task import Task

_LARGEST_SHARE = 0.5
"""Of the free memory of a device, for the recordings; more of them stay in main memory, and each batch is copied."""


class DeviceBatches:
    """(numbers of training clips, random numbers) -> (inputs float32 [n, 1, frames, coefficients], labels int64 [n])"""

    def __init__(self, task: Task, device: torch.device) -> None:
        self.augment, self.device, split = task.augment, device, task.dataset.splits["train"]
        self.features = _Features(task.features, device)
        self.rate_hz, self.shape = task.features.rate_hz, task.features.shape
        self.samples, self.labels = split.samples, torch.from_numpy(split.labels).to(device)
        self.on_device = torch.tensor(split.samples, device=device) if _fits(split.samples.nbytes, device) else None
        self.noise = torch.tensor(task.dataset.noise, device=device)
        self.positions = _positions(task.augment, task.features.clip_samples, device)

    def __call__(self, chosen: np.ndarray, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        numbers = torch.from_numpy(chosen).to(self.device)
        clips = self._clips(chosen, numbers)
        drawn = draw(self.augment, tuple(clips.shape), len(self.noise), self.rate_hz, rng)
        masks = draw_masks(self.augment, (len(chosen), *self.shape), rng)
        augmented = self._augmented(clips, drawn)
        if self.features.here:
            inputs = self.features.network_input(_mask(self.features.mfcc(augmented), masks))
        else:
            inputs = self._on_the_host(augmented, masks)
        return inputs, self.labels[numbers]

    def _on_the_host(self, augmented: torch.Tensor, masks: Masks) -> torch.Tensor:
        """Features in fixed point are defined in integers of the CPU, so the samples travel there and back."""
        spec = self.features.spec
        features = extract.features(spec, extract.recorded(spec, augmented.cpu().numpy()))
        return network_input(masked(features, masks), spec).to(self.device)

    def _clips(self, chosen: np.ndarray, numbers: torch.Tensor) -> torch.Tensor:
        if self.on_device is not None:
            return self.on_device[numbers]
        return torch.from_numpy(np.stack([self.samples[index] for index in chosen])).to(self.device)

    def _augmented(self, clips: torch.Tensor, drawn: Draws) -> torch.Tensor:
        """int16 [n, clip_samples] -> float32 in +-1, as `augment_samples` does."""
        moved = self._moved(clips.float() / 32_768, drawn)
        if drawn.shares.any():
            moved = moved + torch.roll(moved, 1, 0) * self._column(drawn.shares)
        if drawn.volumes.any():
            at = self._column(drawn.starts) + torch.arange(moved.shape[1], device=self.device)
            moved = moved + self.noise[at].float() * self._column((drawn.volumes / 32_768).astype(np.float32))
        return moved

    def _moved(self, clips: torch.Tensor, drawn: Draws) -> torch.Tensor:
        """Change of speed, then shift: a sample that comes from outside of the clip is 0."""
        length = clips.shape[1]
        at = torch.arange(length, device=self.device) - self._column(drawn.offsets)
        inside, at = (at >= 0) & (at < length), at.clamp(0, length - 1)
        speed = self._column(drawn.percents + self.augment.speed_percent)
        whole, fraction = self.positions[0][speed, at], self.positions[1][speed, at]
        framed = functional.pad(clips, (1, 1))
        left, right = framed.gather(1, whole), framed.gather(1, (whole + 1).clamp(max=length + 1))
        return (left + (right - left) * fraction) * inside

    def _column(self, values: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(values).to(self.device)[:, None]


class _Features:
    """edgekws.features.mfcc of level "clip", in torch. here: whether that is what the front end states."""

    def __init__(self, spec: FeatureSpec, device: torch.device) -> None:
        self.spec, self.here = spec, spec.arithmetic == "float" and spec.level == "clip"
        self.cosine, self.sine, self.mel, self.dct = (torch.from_numpy(t).to(device) for t in tables(spec, "float32"))
        self.scale = torch.tensor(spec.input_scale, dtype=torch.float32, device=device)
        self.zero_point = torch.tensor(spec.input_zero_point, dtype=torch.float32, device=device)

    def mfcc(self, samples: torch.Tensor) -> torch.Tensor:
        """float32 [n, clip_samples] -> [n, frames, coefficients]"""
        peak = samples.amax(1, keepdim=True)
        loud = samples / torch.where(peak > 0, peak, torch.ones_like(peak))
        frames = loud.unfold(1, self.spec.window_samples, self.spec.hop_samples)
        magnitude = torch.sqrt((frames @ self.cosine).square() + (frames @ self.sine).square())
        return torch.log(magnitude @ self.mel + self.spec.log_floor) @ self.dct

    def network_input(self, features: torch.Tensor) -> torch.Tensor:
        """[n, frames, coefficients] -> float32 [n, 1, frames, coefficients]"""
        steps = (features / self.scale + self.zero_point).clamp(INPUT_MIN, INPUT_MAX)
        if self.spec.rounding == "toward-zero":
            steps = steps.trunc()
        return ((steps - self.spec.network_zero) * self.spec.network_scale)[:, None]


def _positions(spec: AugmentSpec, length: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """`resampling` for every speed, slowest first: whole int64 and fraction float32, [speeds, clip_samples]."""
    speeds = range(-spec.speed_percent, spec.speed_percent + 1)
    wholes, fractions = zip(*(resampling(length, percent) for percent in speeds), strict=True)
    return torch.from_numpy(np.stack(wholes)).to(device), torch.from_numpy(np.stack(fractions)).to(device)


def _mask(features: torch.Tensor, masks: Masks) -> torch.Tensor:
    fill, device = features.mean(dim=1, keepdim=True), features.device
    masked = torch.where(torch.from_numpy(masks.frames).to(device)[:, :, None], fill, features)
    return torch.where(torch.from_numpy(masks.coefficients).to(device)[:, None], fill, masked)


def _fits(size: int, device: torch.device) -> bool:
    """Whether `size` bytes may stay on the device; main memory holds them already."""
    if device.type != "cuda":
        return device.type == "mps" and size < 1 << 30
    free, _ = torch.cuda.mem_get_info(device)
    return size < _LARGEST_SHARE * free
