"""Log-mel statistics: an untrained baseline.

audio / its peak -> frames of 25 ms every 10 ms x Hann -> |FFT| -> 40 HTK mel bands, 20 to 7,600 Hz -> ln(m + 1e-6)
scene       mean of each band in 8 equal stretches of time, and its deviation over all: 9 x 40
timestamp   the bands around a time every 20 ms: mean of three frames, and the last minus the first: 2 x 40
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from edgekws.curate.embed.windows import times_ms
from edgekws.errors import ConfigError
from edgekws.features.mfcc import mel_weights
from edgekws.features.spec import FeatureSpec

STRETCHES = 8
_TIMES_HOP = 2
"""Frames between two times of the timestamp embeddings."""


class Model(nn.Module):
    """Log-mel spectrogram; its only buffers are the window and the mel bands."""

    def __init__(self, bands: int) -> None:
        super().__init__()
        if bands < 1:
            raise ConfigError("log-mel statistics need at least one band", got=str(bands))
        self.spec = FeatureSpec(window_samples=400, hop_samples=160, mel_bands=bands, high_hz=7_600.0)
        self.sample_rate = self.spec.rate_hz
        self.scene_embedding_size = (STRETCHES + 1) * bands
        self.timestamp_embedding_size = 2 * bands
        self.window: torch.Tensor
        self.mel: torch.Tensor
        self.register_buffer("window", torch.hann_window(self.spec.window_samples, periodic=True))
        self.register_buffer("mel", torch.from_numpy(mel_weights(self.spec).astype(np.float32)))

    def forward(self, audio: torch.Tensor) -> torch.Tensor:
        """float32 [n, samples] -> float32 [n, frames, bands]; frame k has its centre at k * hop."""
        peak = audio.abs().amax(dim=1, keepdim=True)
        half = self.spec.window_samples // 2
        loud = functional.pad(audio / torch.where(peak > 0, peak, 1), (half, half))
        frames = loud.unfold(1, self.spec.window_samples, self.spec.hop_samples) * self.window
        magnitude = torch.fft.rfft(frames, self.spec.fft_samples).abs()
        return torch.log(magnitude @ self.mel + self.spec.log_floor)


def load_model(model_file_path: str = "", bands: int = 40) -> Model:
    """bands: mel bands. Raises ConfigError for a path: there are no weights."""
    if model_file_path:
        raise ConfigError("log-mel statistics have no weights", got=model_file_path)
    return Model(bands)


def get_scene_embeddings(audio: torch.Tensor, model: Model) -> torch.Tensor:
    """float32 [n, samples] -> float32 [n, 9 * bands]."""
    log_mel: torch.Tensor = model(audio)
    stretches = functional.adaptive_avg_pool1d(log_mel.transpose(1, 2), STRETCHES).transpose(1, 2)
    deviation = log_mel.std(dim=1, correction=0, keepdim=True)
    return torch.cat([stretches, deviation], dim=1).flatten(1)


def get_timestamp_embeddings(audio: torch.Tensor, model: Model) -> tuple[torch.Tensor, torch.Tensor]:
    """float32 [n, samples] -> float32 [n, t, 2 * bands] and float32 [n, t], times in ms."""
    log_mel: torch.Tensor = model(audio)
    around = functional.pad(log_mel.transpose(1, 2), (1, 1), mode="replicate").transpose(1, 2)
    mean = (around[:, :-2] + around[:, 1:-1] + around[:, 2:]) / 3
    vectors = torch.cat([mean, around[:, 2:] - around[:, :-2]], dim=2)[:, ::_TIMES_HOP]
    hop = model.spec.hop_samples * _TIMES_HOP
    return vectors, times_ms(audio, vectors.shape[1], hop, 0.0, model.sample_rate)
