"""Networks with gates, broadcast sums and recurrence."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from tests.quant.networks.images import SubSpectralNorm


class _SqueezeExcite(nn.Module):
    """Channel gates (Hu et al., arXiv 1709.01507); as linear layers, or as convolutions with a hard sigmoid."""

    def __init__(self, channels: int, ratio: int = 4, hard: bool = False) -> None:
        super().__init__()
        few, self.hard = max(2, channels // ratio), hard
        layer = (lambda a, b: nn.Conv2d(a, b, 1)) if hard else nn.Linear
        self.down, self.up = layer(channels, few), layer(few, channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.hard:
            squeezed = functional.adaptive_avg_pool2d(x, 1)
            return x * functional.hardsigmoid(self.up(functional.relu(self.down(squeezed))))
        gate = torch.sigmoid(self.up(functional.relu(self.down(x.mean((2, 3))))))
        return x * gate[:, :, None, None]


def se_net(labels: int, channels: int = 16, blocks: int = 2) -> nn.Module:
    """Residual convolutions, each with channel gates."""
    layers: list[nn.Module] = [nn.Conv2d(1, channels, 3, (2, 2), 1), nn.BatchNorm2d(channels), nn.ReLU()]
    layers += [_GatedResidual(channels) for _ in range(blocks)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, labels))


class _GatedResidual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(channels, channels, 3, 1, 1, bias=False), nn.BatchNorm2d(channels)
        self.gate = _SqueezeExcite(channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.relu(x + self.gate(self.norm(self.conv(x))))


def mobilenet_v3(labels: int, channels: int = 16, blocks: int = 2) -> nn.Module:
    """Inverted bottlenecks with Hardswish and hard gates (Howard et al., arXiv 1905.02244)."""
    layers: list[nn.Module] = [
        nn.Conv2d(1, channels, 3, (2, 2), 1, bias=False),
        nn.BatchNorm2d(channels),
        nn.Hardswish(),
    ]
    layers += [_InvertedGated(channels) for _ in range(blocks)]
    head = [nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, 2 * channels, 1), nn.Hardswish(), nn.Flatten()]
    return nn.Sequential(*layers, *head, nn.Dropout(), nn.Linear(2 * channels, labels))


class _InvertedGated(nn.Module):
    def __init__(self, channels: int, ratio: int = 2) -> None:
        super().__init__()
        wide = ratio * channels
        self.body = nn.Sequential(
            nn.Conv2d(channels, wide, 1, bias=False), nn.BatchNorm2d(wide), nn.Hardswish(),
            nn.Conv2d(wide, wide, 3, 1, 1, groups=wide, bias=False), nn.BatchNorm2d(wide), nn.Hardswish(),
            _SqueezeExcite(wide, hard=True), nn.Conv2d(wide, channels, 1, bias=False), nn.BatchNorm2d(channels),
        )  # fmt: skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.body(x)


class _Broadcast(nn.Module):
    """Broadcast residual learning (Kim et al., arXiv 2106.04140): a mean over frequency, temporal convolutions on it,
    and a sum over all frequencies. Axes are [n, c, frequency, time].
    """

    def __init__(self, c_in: int, c_out: int, bands: int, stride: int = 1, dilation: int = 1) -> None:
        super().__init__()
        self.turn = nn.Sequential(nn.Conv2d(c_in, c_out, 1, bias=False), nn.BatchNorm2d(c_out), nn.ReLU())
        self.is_transition = c_in != c_out or stride > 1
        self.by_frequency = nn.Sequential(
            nn.Conv2d(c_out, c_out, (3, 1), (stride, 1), (1, 0), groups=c_out, bias=False),
            SubSpectralNorm(c_out, bands) if bands > 1 else nn.BatchNorm2d(c_out),
        )
        self.by_time = nn.Sequential(
            nn.Conv2d(c_out, c_out, (1, 3), 1, (0, dilation), (1, dilation), groups=c_out, bias=False),
            nn.BatchNorm2d(c_out), nn.SiLU(), nn.Conv2d(c_out, c_out, 1), nn.Dropout2d(0.1),
        )  # fmt: skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.by_frequency(self.turn(x) if self.is_transition else x)
        z = self.by_time(y.mean(2, keepdim=True))
        return functional.relu(y + z if self.is_transition else x + y + z)


class _BCResNet(nn.Module):
    def __init__(self, labels: int, channels: int, bands: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(1, 2 * channels, 5, (2, 2), 2, bias=False), nn.BatchNorm2d(2 * channels), nn.ReLU()
        )
        self.blocks = nn.Sequential(
            _Broadcast(2 * channels, channels, bands),
            _Broadcast(channels, channels, bands),
            _Broadcast(channels, 2 * channels, 1, dilation=2),
        )
        self.tail = nn.Conv2d(2 * channels, 2 * channels, 5, padding=(0, 2), groups=2 * channels, bias=False)
        self.head, self.scores = nn.Conv2d(2 * channels, 4 * channels, 1), nn.Conv2d(4 * channels, labels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.tail(self.blocks(self.stem(x.transpose(2, 3))))
        x = functional.relu(self.head(x.mean(2, keepdim=True)))
        return self.scores(x.mean((2, 3), keepdim=True)).flatten(1)


def bc_resnet(labels: int, channels: int = 8, bands: int = 5) -> nn.Module:
    """BC-ResNet, for 10 coefficients: 5 rows of frequency after the first convolution."""
    return _BCResNet(labels, channels, bands)


class _Crnn(nn.Module):
    def __init__(self, labels: int, channels: int, hidden: int, layers: int) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, channels, (10, 4), (4, 2), (4, 0)), nn.BatchNorm2d(channels)
        self.gru, self.fc = nn.GRU(4 * channels, hidden, layers, batch_first=True), nn.Linear(hidden, labels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = functional.relu(self.norm(self.conv(x)))
        out, _ = self.gru(y.permute(0, 2, 1, 3).flatten(2))
        return self.fc(out[:, -1])


def crnn(labels: int, channels: int = 8, hidden: int = 16, layers: int = 2) -> nn.Module:
    """A convolution, gated recurrent units over time and a linear layer (Arik et al., arXiv 1703.05390)."""
    return _Crnn(labels, channels, hidden, layers)


class _GruOnly(nn.Module):
    def __init__(self, labels: int, hidden: int) -> None:
        super().__init__()
        self.gru, self.fc = nn.GRU(10, hidden), nn.Linear(hidden, labels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        _, state = self.gru(x.squeeze(1).transpose(0, 1))
        return self.fc(state.squeeze(0))


def gru(labels: int, hidden: int = 16) -> nn.Module:
    """Gated recurrent units over the features (Zhang et al., "Hello Edge", arXiv 1711.07128), rows first."""
    return _GruOnly(labels, hidden)


NETWORKS = {each.__name__: each for each in (bc_resnet, se_net, mobilenet_v3, crnn, gru)}
