"""Windows of a batch of audio, for models with a fixed input length."""

from __future__ import annotations

import torch
from torch.nn import functional


def cover(audio: torch.Tensor, size: int, hop: int) -> torch.Tensor:
    """[n, samples] -> [n, windows, size]: a short clip is zero-padded; else one every `hop`, and the last at the end.

    clip     |--------------------------|
    windows  [ size ]
               hop [ size ]
                            [ size ]        the last ends with the clip
    """
    length = audio.shape[1]
    if length <= size:
        return functional.pad(audio, (0, size - length))[:, None]
    starts = [*range(0, length - size, hop), length - size]
    return torch.stack([audio[:, start : start + size] for start in starts], dim=1)


def centred(audio: torch.Tensor, size: int, hop: int) -> torch.Tensor:
    """[n, samples] -> [n, windows, size]: one around each multiple of `hop`, zeros beyond the ends."""
    padded = functional.pad(audio, (size // 2, size - size // 2))
    return padded.unfold(1, size, hop)[:, : audio.shape[1] // hop + 1]


def times_ms(audio: torch.Tensor, count: int, hop: int, first: float, rate_hz: int) -> torch.Tensor:
    """float32 [n, count]: the times of windows every `hop` samples, the first of which has its centre at `first`."""
    centres = (torch.arange(count, dtype=torch.float64, device=audio.device) * hop + first) * (1_000 / rate_hz)
    return centres.to(torch.float32).expand(len(audio), count).clone()
