"""A float ONNX file -> integers, without training. Run it: python examples/from_onnx.py [model.onnx]"""

from __future__ import annotations

import sys
import tempfile
import warnings
from pathlib import Path

import torch
from torch import nn

import edgekws


def exported(path: Path) -> Path:
    """Any tool may write the file; here torch does."""
    network = nn.Sequential(
        nn.Conv2d(1, 16, (8, 4), stride=2), nn.BatchNorm2d(16), nn.ReLU(),
        nn.MaxPool2d(2), nn.Conv2d(16, 16, 3, padding=1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 12),
    ).eval()  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the newer exporter needs another package
        torch.onnx.export(network, (torch.zeros(1, 1, 49, 10),), str(path), dynamo=False)
    return path


def main(path: Path) -> None:
    clips = torch.randn(256, 1, 49, 10).clamp(-4, 3.9)  # yours: training inputs of the network
    for target, bits in (("tinpu", 8), ("tinpu", 4), ("int8", 8)):
        graph = edgekws.lower(edgekws.prepare(path, target, bits, clips, method="ptq"))
        print(f"{target}, {bits} bits: {', '.join(node.name for node in graph.nodes)}; {graph.parameter_bytes} bytes")


if __name__ == "__main__":
    torch.manual_seed(0)
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as folder:
            main(exported(Path(folder) / "model.onnx"))
