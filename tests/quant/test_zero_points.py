"""Networks whose input has a zero point: the trained integers are those of the graph, padding included."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import edgekws
from edgekws.errors import ConfigError, DataError, TargetError
from edgekws.features.mfcc import quantize
from edgekws.features.presets import MLPERF
from edgekws.features.spec import FeatureSpec, UnknownFeatures
from edgekws.graph import interp, io
from edgekws.training.layers import Residual

SCALE, ZERO = MLPERF.network_scale, MLPERF.network_zero


def clips(count=12, seed=0):
    return np.random.default_rng(seed).integers(-128, 128, (count, 49, 10)).astype(np.int8)


def convolution(*before):
    torch.manual_seed(0)
    return nn.Sequential(
        *before, nn.Conv2d(1, 4, (5, 4), 2, padding=(2, 1)), nn.ReLU(), nn.Conv2d(4, 4, 3, padding=1, groups=4),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3),
    )  # fmt: skip


def prepared(network, method="ptq", **options):
    return edgekws.prepare(network, "int8", calibration=clips(48, 1), features=MLPERF, method=method, **options)


@torch.no_grad()
def differing(net, graph, integers):
    """How many integers of all layers differ between torch and the interpreter."""
    layers = net.eval().integers(net.real(torch.from_numpy(integers))[:, None])
    count = 0
    for (name, ours), (node, expected) in zip(
        layers, interp.trace(graph, interp.as_input(graph, integers)), strict=True
    ):
        height, width, channels = node.out_shape
        ordered = ours.reshape(len(integers), channels, height, width).permute(0, 2, 3, 1).numpy()
        assert name == node.name
        count += int((ordered != expected).sum())
    return count


@pytest.mark.parametrize(
    "network",
    [
        convolution(),
        convolution(nn.BatchNorm2d(1)),
        convolution(nn.MaxPool2d(2)),
        nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1, 3)),
        nn.Sequential(nn.Flatten(), nn.Linear(490, 3)),
    ],
    ids=["padded convolution", "normalization", "max pool", "mean", "linear"],
)
def test_integers_are_those_of_the_graph(network):
    net = prepared(network)
    graph = edgekws.lower(net)
    assert (graph.features, graph.input_scale, graph.input_zero) == (MLPERF, SCALE, ZERO)
    assert differing(net, graph, clips()) == 0
    assert io.to_bytes(io.from_bytes(io.to_bytes(graph))) == io.to_bytes(graph)


def test_padding_has_the_zero_point_and_the_offset_holds_its_part():
    graph = edgekws.lower(prepared(convolution()))
    first, second = graph.nodes[:2]
    assert (first.pad_value, second.pad_value) == (ZERO, 0)
    zeros = np.full((1, 49, 10), ZERO, np.int8)  # real zero everywhere: only the bias is left
    (_, values), *_ = interp.trace(graph, interp.as_input(graph, zeros))
    assert (values == values[:, :1, :1]).all()


def test_a_training_sees_the_integers():
    net = prepared(convolution(), "qat")
    net.train()
    optimizer = torch.optim.SGD(net.parameters(), 1e-2)
    for step in range(3):
        loss = nn.functional.cross_entropy(
            net(net.real(torch.from_numpy(clips(seed=step)))[:, None]), torch.arange(12) % 3
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        net.after_step()
    assert differing(net, edgekws.lower(net), clips()) == 0


def test_coefficients_are_truncated_as_on_the_device():
    net, features = prepared(convolution()), np.random.default_rng(2).normal(0, 9, (8, 49, 10)).astype(np.float32)
    steps = net.steps(torch.from_numpy(features))
    assert (steps.numpy() == quantize(MLPERF, features)).mean() > 0.999
    every = torch.arange(-128, 128).float()
    assert torch.equal(net.steps(net.real(every)), every)


def test_a_sum_of_the_input_and_another_tensor_is_refused_by_name():
    network = convolution(Residual(nn.Conv2d(1, 1, 3, padding=1)))
    with pytest.raises(TargetError, match=r"add1: an input with a zero point .*Got: add of zero points 0, 83"):
        prepared(network)


def test_features_without_a_preparation_for_them_are_refused():
    net = edgekws.prepare(convolution(), "int8", calibration=clips(), method="ptq")
    graph = edgekws.lower(net)
    assert graph.features == UnknownFeatures((49, 10)) and graph.input_zero == 0
    with pytest.raises(DataError, match="the front end should be known"):
        graph.front_end  # noqa: B018
    fitted = FeatureSpec().with_statistics(np.zeros(10), np.arange(1.0, 11))
    assert edgekws.lower(net, features=fitted).front_end == fitted
    with pytest.raises(ConfigError, match=r"zero point that the network was prepared for, 0. Got: 83.*to prepare"):
        edgekws.lower(net, features=replace(MLPERF, rounding="nearest"))
