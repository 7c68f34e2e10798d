"""Networks over time: coefficients are channels, and convolutions have one axis."""

from __future__ import annotations

import itertools

import torch
from torch import nn
from torch.nn import functional

COEFFICIENTS = 10


class _Temporal(nn.Module):
    """[n, 1, frames, coefficients] -> [n, coefficients, frames] -> body."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = self.body(x.squeeze(1).transpose(1, 2))
        return scores


class _Summed(nn.Module):
    """relu(body(x) + shortcut(x))"""

    def __init__(self, body: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.body, self.shortcut = body, shortcut

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.relu(self.body(x) + self.shortcut(x))


def _normalized(c_in: int, c_out: int, kernel: int, **options: int) -> list[nn.Module]:
    return [nn.Conv1d(c_in, c_out, kernel, bias=False, **options), nn.BatchNorm1d(c_out)]  # type: ignore[arg-type]


def _head(channels: int, labels: int) -> list[nn.Module]:
    return [nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(channels, labels)]


class _TCResNet(nn.Module):
    """Its layout: [n, coefficients, frames, 1] and kernels of one column."""

    def __init__(self, labels: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.stem = nn.Conv2d(COEFFICIENTS, widths[0], (3, 1), padding=(1, 0), bias=False)
        blocks = [_tc_block(c_in, c_out) for c_in, c_out in itertools.pairwise(widths)]
        self.blocks, self.fc = nn.Sequential(*blocks), nn.Conv2d(widths[-1], labels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.blocks(self.stem(x.permute(0, 3, 2, 1)))
        scores: torch.Tensor = self.fc(functional.avg_pool2d(x, (x.shape[2], 1)))
        return scores.squeeze(3).squeeze(2)


def _tc_block(c_in: int, c_out: int) -> nn.Module:
    def conv(c_in: int, kernel: int, stride: int) -> list[nn.Module]:
        own = nn.Conv2d(c_in, c_out, (kernel, 1), (stride, 1), (kernel // 2, 0), bias=False)
        return [own, nn.BatchNorm2d(c_out), nn.ReLU()]

    return _Summed(nn.Sequential(*conv(c_in, 9, 2), *conv(c_out, 9, 1)[:2]), nn.Sequential(*conv(c_in, 1, 2)))


def tc_resnet(labels: int, widths: tuple[int, ...] = (16, 24, 32, 48)) -> nn.Module:
    """TC-ResNet8 (Choi et al., arXiv 1904.03814)."""
    return _TCResNet(labels, widths)


def matchboxnet(labels: int, blocks: int = 3, repeats: int = 2, channels: int = 64) -> nn.Module:
    """MatchboxNet BxRxC (Majumdar and Ginsburg, arXiv 2004.08531): separable convolutions over time; one is dilated."""
    wide = 2 * channels
    layers: list[nn.Module] = [*_separable(COEFFICIENTS, wide, 11, stride=2), nn.ReLU()]
    c_in = wide
    for block in range(blocks):
        kernel = 13 + 2 * block
        body: list[nn.Module] = []
        for each in range(repeats):
            body += _separable(c_in if each == 0 else channels, channels, kernel)
            body += [nn.ReLU(), nn.Dropout(0.1)] if each < repeats - 1 else []
        layers += [_Summed(nn.Sequential(*body), nn.Sequential(*_normalized(c_in, channels, 1))), nn.Dropout(0.1)]
        c_in = channels
    layers += [*_separable(channels, wide, 29, dilation=2), nn.ReLU(), *_normalized(wide, wide, 1), nn.ReLU()]
    layers += [nn.Conv1d(wide, labels, 1), nn.AdaptiveAvgPool1d(1), nn.Flatten()]
    return _Temporal(nn.Sequential(*layers))


def _separable(c_in: int, c_out: int, kernel: int, stride: int = 1, dilation: int = 1) -> list[nn.Module]:
    padding = dilation * (kernel - 1) // 2
    depthwise = nn.Conv1d(c_in, c_in, kernel, stride, padding, dilation, groups=c_in, bias=False)
    return [depthwise, *_normalized(c_in, c_out, 1)]


def tenet(labels: int, channels: int = 32, blocks: int = 3, layers: int = 2, ratio: int = 3) -> nn.Module:
    """TENet (Li et al., arXiv 2010.09960): inverted bottlenecks with depthwise convolutions over time."""
    body: list[nn.Module] = [*_normalized(COEFFICIENTS, channels, 3, padding=1), nn.ReLU()]
    for _ in range(blocks):
        for layer in range(layers):
            body.append(_bottleneck(channels, ratio, 2 if layer == 0 else 1))
    return _Temporal(nn.Sequential(*body, *_head(channels, labels)))


def _bottleneck(channels: int, ratio: int, stride: int) -> nn.Module:
    wide = ratio * channels
    body = [
        *_normalized(channels, wide, 1), nn.ReLU(),
        *_normalized(wide, wide, 9, stride=stride, padding=4, groups=wide), nn.ReLU(),
        *_normalized(wide, channels, 1),
    ]  # fmt: skip
    shortcut = nn.Identity() if stride == 1 else nn.Sequential(*_normalized(channels, channels, 1, stride=2), nn.ReLU())
    return _Summed(nn.Sequential(*body), shortcut)


def sparknet(labels: int, channels: int = 16, groups: int = 4) -> nn.Module:
    """A small network of temporal convolutions in groups, of unequal length, whose outputs are concatenated."""
    stem = [nn.BatchNorm1d(COEFFICIENTS), *_normalized(COEFFICIENTS, channels, 5, stride=2), nn.ReLU()]
    mixed = _Parallel(channels, groups)
    return _Temporal(
        nn.Sequential(*stem, mixed, *_normalized(2 * channels, channels, 1), nn.ReLU6(), *_head(channels, labels))
    )


class _Parallel(nn.Module):
    def __init__(self, channels: int, groups: int) -> None:
        super().__init__()
        self.short = nn.Conv1d(channels, channels, 3, padding=1, groups=groups)
        self.long = nn.Conv1d(channels, channels, 9, padding=8, dilation=2, groups=groups)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([self.short(x), self.long(x)], dim=1).relu()


class _SVDF(nn.Module):
    """A layer of rank-2 filters: each unit has a filter over coefficients and one over time (Nakkiran et al., 2015)."""

    def __init__(self, c_in: int, units: int, memory: int) -> None:
        super().__init__()
        self.feature = nn.Linear(c_in, 2 * units, bias=False)
        self.time = nn.Conv1d(2 * units, 2 * units, memory, groups=2 * units, bias=False)
        self.bias = nn.Parameter(torch.zeros(1, units, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first, second = self.time(self.feature(x).transpose(1, 2)).chunk(2, dim=1)
        return functional.relu(first + second + self.bias).transpose(1, 2)


class _SVDFNetwork(nn.Module):
    def __init__(self, labels: int, units: int, memory: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(_SVDF(COEFFICIENTS, units, memory), _SVDF(units, units, memory))
        self.fc = nn.Linear(units, labels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = self.fc(self.layers(x[:, 0]).mean(1))
        return scores


def svdf(labels: int, units: int = 24, memory: int = 8) -> nn.Module:
    """Two layers of singular value decomposition filters over [n, frames, coefficients], as Keras has them."""
    return _SVDFNetwork(labels, units, memory)
