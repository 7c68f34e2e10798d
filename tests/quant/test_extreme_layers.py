"""Layers at the limits of their arithmetic: wide sums, dead filters, offsets made of large means, narrow inputs."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import edgekws
from edgekws.graph import interp

CLASSES = 4


def clips(count=64, shape=(12, 10), seed=0):
    return torch.randn(count, 1, *shape, generator=torch.Generator().manual_seed(seed)).clamp(-4, 3.9)


def as_int8(x):
    return np.clip(np.rint(x.numpy()[:, 0] * 32), -128, 127).astype(np.int8)


def small(*first):
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 16, (4, 4), 2), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 16, 1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, CLASSES),
    ).eval()  # fmt: skip


@pytest.mark.parametrize("target", ["int8", "tinpu"])
@pytest.mark.parametrize("gain", [0.0, 1e-30, 1e-9, 1e-6])
def test_a_dead_filter_is_a_constant(target, gain):
    network = small()
    with torch.no_grad():
        network[1].weight[3], network[1].bias[3] = gain, 0.7
    x = clips()
    quantized = edgekws.prepare(network, target, 8, x, method="ptq")
    graph = edgekws.lower(quantized)
    features = as_int8(clips(32, seed=1))
    _, first = next(interp.trace(graph, interp.as_input(graph, features)))
    assert len(np.unique(first[..., 3])) == 1
    assert first[0, 0, 0, 3] * graph.nodes[0].out_scale == pytest.approx(0.7, abs=graph.nodes[0].out_scale)
    with torch.no_grad():
        scores = quantized(torch.from_numpy(features / 32).float()[:, None])
    np.testing.assert_array_equal(np.rint(scores.numpy() / graph.score_scale), graph.run(features))


def wide(shape=(24, 20)):
    """Flattened, 8 channels of these planes are 3,840 inputs: the sum of their products may pass 2^24."""
    torch.manual_seed(0)
    flat = 8 * (shape[0] // 2 + 1) * (shape[1] // 2)
    return nn.Sequential(
        nn.ZeroPad2d((1, 2, 2, 2)), nn.Conv2d(1, 8, (4, 4), 2), nn.ReLU(), nn.Flatten(), nn.Linear(flat, CLASSES)
    ).eval()


@pytest.mark.parametrize(("target", "bits"), [("int8", 8), ("int8", 4), ("tinpu", 8), ("tinpu", 4)])
def test_a_wide_sum_is_lowered_and_exact(target, bits):
    """Sums beyond 2^24 are computed in float64, where the interpreter has int64."""
    network = wide()
    with torch.no_grad():
        network[4].weight.abs_()  # sums that add up
    x = clips(32, (24, 20))
    quantized = edgekws.prepare(network, target, bits, x, method="ptq", input_scale=1 / 32)
    graph = edgekws.lower(quantized, strict=False)
    weights = np.abs(graph.nodes[-1].weight.astype(int)).sum(1).max()
    assert (target, bits) != ("int8", 8) or weights * 255 > 1 << 24
    features = np.concatenate([as_int8(clips(16, (24, 20), 1)), np.full((1, 24, 20), 127, np.int8)])
    with torch.no_grad():
        scores = quantized(torch.from_numpy(features / 32).float()[:, None])
    np.testing.assert_array_equal(np.rint(scores.numpy() / graph.score_scale), graph.run(features))


@pytest.mark.parametrize("bits", [4, 2])
def test_scores_are_not_stretched_when_a_large_mean_is_subtracted(bits):
    """The mean of the sums is far beyond the offset's 16 bits; bias and mean cancel, and the gain must stay."""
    torch.manual_seed(0)
    prototypes = 3 * functional.avg_pool2d(torch.randn(CLASSES, 1, 24, 20), 5, 1, 2)
    labels = torch.randint(0, CLASSES, (512,))
    x = (prototypes[labels] + 0.9 * torch.randn(512, 1, 24, 20)).clamp(-4, 3.9)
    network = wide()
    with torch.no_grad():
        network[4].weight.add_(0.02)  # a mean of the sums that does not vanish
        real = network(x).numpy()
    quantized = edgekws.prepare(network, "tinpu", bits, x[:256], method="ptq")
    graph = edgekws.lower(quantized, strict=False)
    integers = graph.run(as_int8(x)) * graph.score_scale
    slopes = [np.polyfit(real[:, k], integers[:, k], 1)[0] for k in range(CLASSES)]
    assert np.allclose(slopes, 1, atol=0.08 if bits == 4 else 0.2), slopes


def test_calibration_that_fills_little_of_the_range_is_warned_of():
    with pytest.warns(UserWarning, match=r"fills 1\.\d% of the input's int8 range, .* give input_scale=0\.000"):
        edgekws.prepare(small(), "int8", 8, clips() / 80, method="ptq")
    scale = float(clips().abs().max()) / 80 / 127
    edgekws.prepare(small(), "int8", 8, clips() / 80, method="ptq", input_scale=scale)  # the way out, without a warning


def test_channels_of_very_different_ranges_have_a_way_out():
    far = nn.Sequential(
        nn.Conv2d(1, 16, 3), nn.ReLU(), nn.Conv2d(16, 16, 3, groups=16), nn.ReLU(), nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(16, CLASSES),
    ).eval()  # fmt: skip
    with torch.no_grad():
        gains = torch.logspace(-1.5, 1.5, 16)
        far[0].weight.mul_(gains.view(-1, 1, 1, 1)), far[0].bias.mul_(gains)
        far[2].weight.div_(gains.view(-1, 1, 1, 1))
    with pytest.raises(edgekws.errors.TargetError, match="equalize=True"):
        edgekws.prepare(far, "tinpu", 8, clips(), method="ptq")
    assert edgekws.prepare(far, "tinpu", 8, clips(), method="ptq", equalize=True)


def test_a_linear_layer_too_small_for_the_npu_is_left_to_the_cpu_with_a_warning():
    network = nn.Sequential(
        nn.Conv2d(1, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, CLASSES)
    ).eval()  # fmt: skip
    with pytest.warns(UserWarning, match="fc is left to the CPU: linear-inputs: at least 16 inputs"):
        quantized = edgekws.prepare(network, "tinpu", 8, clips(), method="ptq")
    assert edgekws.lower(quantized).nodes[-1].name == "fc"
    with pytest.raises(edgekws.errors.TargetError, match="linear-inputs"):
        edgekws.lower(quantized, strict=True)
