"""Networks that are no plugins, small, by name: tests build, train, lower and run each of them."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from tests.quant.networks import images, temporal

ZOO: dict[str, Callable[[int], nn.Module]] = {
    "tc-resnet": lambda labels: temporal.tc_resnet(labels, (8, 8, 12)),
    "matchboxnet": lambda labels: temporal.matchboxnet(labels, blocks=1, channels=8),
    "tenet": lambda labels: temporal.tenet(labels, channels=8, blocks=1),
    "sparknet": temporal.sparknet,
    "svdf": lambda labels: temporal.svdf(labels, units=8),
    "mobilenet-v2": lambda labels: images.mobilenet_v2(labels, channels=8, blocks=2),
    "res8": lambda labels: images.res8(labels, channels=8),
    "res15": lambda labels: images.res15(labels, channels=8),
    "sub-bands": lambda labels: images.banded(labels, channels=8),
}
"""By the number of labels; res15 is the slowest, its layers have the full resolution."""
