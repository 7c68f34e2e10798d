"""Networks over frames and coefficients, as over images."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional


class _Residual(nn.Module):
    """x + body(x), with ReLU or without."""

    def __init__(self, body: nn.Module, relu: bool = False) -> None:
        super().__init__()
        self.body, self.relu = body, relu

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = x + self.body(x)
        return functional.relu(y) if self.relu else y


def mobilenet_v2(labels: int, channels: int = 16, blocks: int = 3, ratio: int = 4) -> nn.Module:
    """Linear bottlenecks with ReLU6 (Sandler et al., arXiv 1801.04381)."""
    layers: list[nn.Module] = [nn.Conv2d(1, channels, 3, (2, 1), 1, bias=False), nn.BatchNorm2d(channels), nn.ReLU6()]
    for block in range(blocks):
        body = _inverted(channels, ratio, 2 if block == 0 else 1)
        layers.append(body if block == 0 else _Residual(body))
    layers += [nn.Conv2d(channels, 2 * channels, 1), nn.BatchNorm2d(2 * channels), nn.ReLU6()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(), nn.Linear(2 * channels, labels))


def _inverted(channels: int, ratio: int, stride: int) -> nn.Sequential:
    wide = ratio * channels
    return nn.Sequential(
        nn.Conv2d(channels, wide, 1, bias=False), nn.BatchNorm2d(wide), nn.ReLU6(),
        nn.Conv2d(wide, wide, 3, stride, 1, groups=wide, bias=False), nn.BatchNorm2d(wide), nn.ReLU6(),
        nn.Conv2d(wide, channels, 1, bias=False), nn.BatchNorm2d(channels),
    )  # fmt: skip


class _Res(nn.Module):
    """res8 and res15 of Honk: normalization without factors after each ReLU, a sum at every second layer."""

    def __init__(self, labels: int, channels: int, layers: int, pool: tuple[int, int] | None, dilated: bool) -> None:
        super().__init__()
        self.first, self.pool = nn.Conv2d(1, channels, 3, padding=1, bias=False), pool
        spans = [2 ** (number // 3) if dilated else 1 for number in range(layers)]
        self.convs = nn.ModuleList(
            nn.Conv2d(channels, channels, 3, padding=span, dilation=span, bias=False) for span in spans
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(channels, affine=False) for _ in spans)
        self.fc = nn.Linear(channels, labels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.relu(self.first(x))
        old = x = functional.avg_pool2d(x, self.pool) if self.pool else x
        for number, (conv, norm) in enumerate(zip(self.convs, self.norms, strict=True)):
            y = functional.relu(conv(x))
            if number % 2:
                y = old = y + old
            x = norm(y)
        scores: torch.Tensor = self.fc(x.view(x.size(0), x.size(1), -1).mean(2))
        return scores


def res8(labels: int, channels: int = 45) -> nn.Module:
    """Tang and Lin, arXiv 1710.10361: six layers after a mean over windows."""
    return _Res(labels, channels, 6, (4, 3), dilated=False)


def res15(labels: int, channels: int = 45) -> nn.Module:
    """Tang and Lin, arXiv 1710.10361: thirteen layers, dilated more and more."""
    return _Res(labels, channels, 13, None, dilated=True)


class SubSpectralNorm(nn.Module):
    """A normalization of its own for each band of coefficients (Chang et al., arXiv 2103.13620)."""

    def __init__(self, channels: int, bands: int) -> None:
        super().__init__()
        self.bands, self.norm = bands, nn.BatchNorm2d(channels * bands)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        n, channels, rows, columns = x.shape
        banded = x.view(n, channels * self.bands, rows // self.bands, columns)
        return self.norm(banded).view(n, channels, rows, columns)


def banded(labels: int, channels: int = 16, bands: int = 5) -> nn.Module:
    """Convolutions over [coefficients, frames] with normalization by band, as BC-ResNet has them."""
    return nn.Sequential(
        _Turned(), nn.Conv2d(1, channels, 5, (2, 2), 2, bias=False), SubSpectralNorm(channels, bands), nn.ReLU(),
        _Residual(nn.Sequential(
            nn.Conv2d(channels, channels, (3, 1), padding=(1, 0), groups=channels, bias=False),
            SubSpectralNorm(channels, bands),
            nn.Conv2d(channels, channels, 1),
        ), relu=True),
        nn.MaxPool2d(3, 2, 1, ceil_mode=True), nn.AvgPool2d((3, 1)),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, labels),
    )  # fmt: skip


class _Turned(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.transpose(2, 3)
