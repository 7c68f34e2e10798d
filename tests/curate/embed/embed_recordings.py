"""Recordings of noise, and a module of the HEAR API in a few lines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

RATE_HZ = 16_000
GOOD = """
import torch

class Net(torch.nn.Module):
    sample_rate = 16000
    scene_embedding_size = 3
    timestamp_embedding_size = 3

def load_model(model_file_path="", **options):
    return Net()

def features(audio):
    return torch.stack([audio.mean(-1), audio.abs().mean(-1), audio.square().mean(-1)], -1)

def get_scene_embeddings(audio, model):
    return features(audio)

def get_timestamp_embeddings(audio, model):
    hop = 160
    frames = audio.unfold(1, hop, hop)
    times = (torch.arange(frames.shape[1]) * hop + hop / 2) / 16
    return features(frames), times.expand(len(audio), -1).to(torch.float32)
"""


def write_noise(path: Path, seed: int, samples: int = RATE_HZ, rate_hz: int = RATE_HZ, channels: int = 1) -> np.ndarray:
    """int16 [samples, channels] that was written to `path`."""
    noise = np.random.default_rng(seed).integers(-9_000, 9_000, (samples, channels)).astype(np.int16)
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, noise, rate_hz, subtype="PCM_16", format="WAV")
    return noise
