"""Networks that are no plugins, small, by name: tests build, train, lower and run each of them."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from tests.quant.networks import images, temporal

LABELS = 12

ZOO: dict[str, Callable[[], nn.Module]] = {
    "tc-resnet": lambda: temporal.tc_resnet(LABELS, (8, 8, 12)),
    "matchboxnet": lambda: temporal.matchboxnet(LABELS, blocks=1, channels=8),
    "tenet": lambda: temporal.tenet(LABELS, channels=8, blocks=1),
    "sparknet": lambda: temporal.sparknet(LABELS),
    "svdf": lambda: temporal.svdf(LABELS, units=8),
    "mobilenet-v2": lambda: images.mobilenet_v2(LABELS, channels=8, blocks=2),
    "res8": lambda: images.res8(LABELS, channels=8),
    "res15": lambda: images.res15(LABELS, channels=8),
    "sub-bands": lambda: images.banded(LABELS, channels=8),
}
"""Builders of random weights; res15 is the slowest, its layers have the full resolution."""
