"""wav2vec 2.0 and its relatives (HuBERT, WavLM, data2vec) by `transformers`, with weights from a local folder.

The folder is what `save_pretrained` writes: config.json, model.safetensors, preprocessor_config.json. Nothing is
downloaded or unpickled.

    audio -> mean 0, variance 1 (where the preprocessor says so) -> convolutions, a frame every 20 ms -> transformer
    scene       mean over time of a hidden layer
    timestamp   the layer itself
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from edgekws.curate.embed.windows import times_ms
from edgekws.errors import ArtifactError, ConfigError, missing_package

_HINT = "give the folder that save_pretrained of transformers wrote, with --weights"
_EPSILON = 1e-7
"""Added to the variance, as by transformers' feature extractor."""


class Model(nn.Module):
    """layer: which hidden state, 0 behind the convolutions, -1 the last."""

    def __init__(self, encoder: nn.Module, config: Any, rate_hz: int, normalize: bool, layer: int) -> None:  # noqa: ANN401
        super().__init__()
        self.encoder, self.layer, self.normalize = encoder, layer, normalize
        self.sample_rate = rate_hz
        self.scene_embedding_size = self.timestamp_embedding_size = int(config.hidden_size)
        self.hop = math.prod(config.conv_stride)
        self.field = 1
        for kernel, stride in reversed(list(zip(config.conv_kernel, config.conv_stride, strict=True))):
            self.field = (self.field - 1) * stride + kernel

    def forward(self, audio: torch.Tensor) -> torch.Tensor:
        """float32 [n, samples] -> float32 [n, frames, size]; frame k has its centre at (k + 1/2) * hop."""
        if self.normalize:
            variance, mean = torch.var_mean(audio, dim=1, correction=0, keepdim=True)
            audio = (audio - mean) / torch.sqrt(variance + _EPSILON)
        margin = self.field - self.hop
        short = max(0, self.hop - audio.shape[1])
        padded = functional.pad(audio, (margin // 2, margin - margin // 2 + short))
        with torch.no_grad():
            states: torch.Tensor = self.encoder(padded, output_hidden_states=True).hidden_states[self.layer]
        return states


def load_model(model_file_path: str = "", layer: int = -1) -> Model:
    """Raises ConfigError without a folder, without transformers, or for an unknown layer; else ArtifactError."""
    folder = Path(model_file_path)
    if not model_file_path or not (folder / "config.json").is_file():
        raise ConfigError("wav2vec2 needs a folder with its weights", got=model_file_path or "none", hint=_HINT)
    try:
        from transformers import AutoModel
    except ModuleNotFoundError as error:
        raise missing_package(error) or error from error
    rate, normalize = _preprocessing(folder)
    try:
        encoder = AutoModel.from_pretrained(folder, local_files_only=True, use_safetensors=True)
    except (OSError, ValueError, RuntimeError) as error:
        got = str(error).strip().partition("\n")[0]
        raise ArtifactError(f"{folder} should hold a model of transformers", got=got, hint=_HINT) from error
    config = encoder.config
    if not all(hasattr(config, name) for name in ("conv_kernel", "conv_stride", "hidden_size", "num_hidden_layers")):
        raise ArtifactError(f"{folder} should hold a speech encoder like wav2vec 2.0", got=type(encoder).__name__)
    count = config.num_hidden_layers + 1
    if not -count <= layer < count:
        raise ConfigError(f"the layer should be {-count}..{count - 1}", got=str(layer))
    return Model(encoder, config, rate, normalize, layer)


def get_scene_embeddings(audio: torch.Tensor, model: Model) -> torch.Tensor:
    """float32 [n, samples] -> float32 [n, size]."""
    frames: torch.Tensor = model(audio)
    return frames.mean(dim=1)


def get_timestamp_embeddings(audio: torch.Tensor, model: Model) -> tuple[torch.Tensor, torch.Tensor]:
    """float32 [n, samples] -> float32 [n, t, size] and float32 [n, t], times in ms."""
    frames: torch.Tensor = model(audio)
    return frames, times_ms(audio, frames.shape[1], model.hop, model.hop / 2, model.sample_rate)


def _preprocessing(folder: Path) -> tuple[int, bool]:
    """(rate in Hz, whether clips are normalized), as the model was trained."""
    path = folder / "preprocessor_config.json"
    if not path.is_file():
        raise ArtifactError(f"{folder} should hold {path.name}", got="none", hint=_HINT)
    try:
        value = json.loads(path.read_text())
        return int(value["sampling_rate"]), bool(value["do_normalize"])
    except (ValueError, TypeError, LookupError) as error:
        raise ArtifactError(f"{path} should say the rate and whether to normalize", got=f"{error!r}") from error
