"""Your own network, from torch to integers and files. Run it: python examples/own_network.py [folder]"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

import edgekws

LABELS = ("yes", "no", "stop", "go")


class Net(nn.Module):
    """Any mixture of convolutions, normalization, ReLU, pooling, additions and linear layers."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(1, 16, (10, 4), stride=2), nn.BatchNorm2d(16), nn.ReLU())
        self.depthwise, self.pointwise = nn.Conv2d(16, 16, 3, padding=1, groups=16), nn.Conv2d(16, 16, 1)
        self.scores = nn.Linear(16, len(LABELS))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(x)
        x = functional.relu(x + self.pointwise(functional.relu(self.depthwise(x))))
        scores: torch.Tensor = self.scores(x.mean((2, 3)))
        return scores


def synthetic(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Words that one can tell apart: each hums at a rate of its own. [n, 1, 49, 10], [n]"""
    labels = torch.arange(count) % len(LABELS)
    rate = 0.3 + 0.4 * labels.float()
    hum = torch.sin(rate[:, None] * torch.arange(49) + 6 * torch.rand(count, 1))
    x = torch.randn(count, 1, 49, 10) * 0.7 + hum[:, None, :, None]
    return x.clamp(-4, 3.9), labels


def train(model: nn.Module, x: torch.Tensor, y: torch.Tensor, rate: float, steps: int) -> None:
    """The same loop for the float network and for its integers."""
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    model.train()
    for step in range(steps):
        if isinstance(model, edgekws.QuantNet):
            model.before_step(step / steps)
        optimizer.zero_grad()
        functional.cross_entropy(model(x), y).backward()
        optimizer.step()
        if isinstance(model, edgekws.QuantNet):
            model.after_step()
    model.eval()


def main(folder: Path) -> None:
    torch.manual_seed(0)
    x, y = synthetic(128)
    network = Net()
    train(network, x, y, rate=1e-2, steps=40)

    quantized = edgekws.prepare(network, "tinpu", bits=4, calibration=x, layers={"fc": 8})
    train(quantized, x, y, rate=1e-3, steps=10)
    graph = edgekws.lower(quantized, LABELS, name="own")

    test_x, test_y = synthetic(128)
    features = torch.round(test_x * 32).to(torch.int8)[:, 0].numpy()  # the device's features: int8 steps of 1/32
    hits = (graph.run(features).argmax(1) == test_y.numpy()).sum()
    print(f"{hits} of {len(test_y)} right, {graph.parameter_bytes} bytes of parameters, {graph.macs} multiplications")

    for name, content in edgekws.export(graph, "onnx-tinpu").items():
        (folder / name).write_bytes(content)
        print(f"{folder / name}: {len(content)} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path())
