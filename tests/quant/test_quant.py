"""Quantization: the torch forward is the integers; lowering changes nothing; illegal layers are refused."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from edgekws.errors import TargetError
from edgekws.features.spec import INPUT_SCALE, FeatureSpec
from edgekws.graph import interp
from edgekws.nets import dscnn
from edgekws.nets._layers import GlobalAveragePool, Pad
from edgekws.quant import chain, lower, observe, ptq
from edgekws.recipe import QuantSection
from edgekws.targets import tinpu
from edgekws.train import _parameter_groups

SPEC = FeatureSpec()
LABELS = tuple(f"word{i}" for i in range(12))


def trained_like(seed, channels=16, blocks=2):
    """A network with batch statistics as training leaves them."""
    torch.manual_seed(seed)
    network = dscnn.build(12, channels, blocks)
    for module in network:
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.3, 2.0)
            nn.init.normal_(module.bias, 0, 0.5)
    network.train()
    with torch.no_grad():
        for _ in range(20):
            network(inputs(64, seed))
    return network.eval()


def inputs(count, seed):
    ints = torch.randint(-128, 128, (count, 1, 49, 10), generator=torch.Generator().manual_seed(seed))
    return ints.float() * INPUT_SCALE


def as_int8(x):
    return (x[:, 0] / INPUT_SCALE).numpy().astype(np.int8)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0, 1]))
def test_every_layer_of_the_torch_forward_equals_the_interpreter(seed, headroom):
    network = ptq.quantize(trained_like(seed), inputs(64, seed), QuantSection(headroom_bits=headroom))
    graph = lower.lower(network, SPEC, LABELS, "x")
    x = inputs(16, seed + 1)
    values = torch.round(x / INPUT_SCALE)
    steps = interp.trace(graph, as_int8(x).astype(np.int32)[..., None])
    with torch.no_grad():
        for stage, (node, expected) in zip(network, steps, strict=True):
            values = stage(values)
            found = values.reshape(len(x), node.out_shape[2], *node.out_shape[:2]).permute(0, 2, 3, 1)
            assert np.array_equal(found.numpy(), expected), node.name


def test_quantized_scores_stay_near_the_float_ones():
    network = trained_like(1)
    x = inputs(256, 2)
    quantized = ptq.quantize(network, inputs(256, 3), QuantSection())
    with torch.no_grad():
        real, integers = network(x), quantized(x)
    assert (real - integers).abs().mean() < 0.1 * real.std()


def test_folding_batch_normalization_keeps_the_function():
    network = trained_like(4)
    x = inputs(8, 5)
    with torch.no_grad():
        assert torch.allclose(chain.run_chain(chain.fold(network), x), network(x), atol=1e-4)


def test_training_the_integers_brings_them_back_to_the_float_network():
    real = trained_like(6)
    network = ptq.quantize(real, inputs(64, 6), QuantSection())
    x = inputs(64, 7)
    with torch.no_grad():
        wanted = real(x)
        for weight in network.parameters():
            weight.add_(torch.randn(weight.shape, generator=torch.Generator().manual_seed(0)), alpha=0.1)
    optimizer = torch.optim.AdamW(_parameter_groups(network, 0.0), lr=3e-3)
    losses = []
    for _ in range(40):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(network(x), wanted)
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.3 * losses[0]
    scores = interp.run(lower.lower(network, SPEC, LABELS, "x"), as_int8(x))
    assert np.array_equal(np.rint(network(x).detach().numpy() / network.score_scale), scores)


def test_headroom_keeps_weights_within_63():
    graph = lower.lower(ptq.quantize(trained_like(8), inputs(64, 8), QuantSection()), SPEC, LABELS, "x")
    largest = [int(np.abs(node.weight.astype(int)).max()) for node in graph.nodes if node.weight is not None]
    assert max(largest) <= 63 and min(largest) >= 32


@given(st.lists(st.floats(1e-4, 10), min_size=1, max_size=8), st.floats(1e-3, 1), st.floats(1e-3, 1))
def test_the_finest_shift_holds_the_weight_and_no_finer_one_does(largest, s_in, s_out):
    shift = tinpu.finest_shift(np.array(largest), s_in, s_out, 127)
    steps = np.array(largest) / tinpu.weight_scale(shift, s_in, s_out)
    free = (shift > 1) & (shift < tinpu.MAX_SHIFT)
    assert np.all(steps[free] <= 127 * (1 + 1e-9)) and np.all(steps[free] > 63 * (1 - 1e-9))


def test_a_dead_channel_gets_the_shift_of_its_layer():
    shift = tinpu.finest_shift(np.array([0.0, 1.0]), 0.05, 0.05, 127)
    assert shift[0] == shift[1]


@pytest.mark.parametrize("area", [3, 25, 49, 64, 125, 128])
def test_the_pool_keeps_the_mean_and_never_saturates(area):
    shift = tinpu.pool_shift(area)
    assert (255 * area + (1 << (shift - 1))) >> shift <= 255
    scale = 2**shift / area
    assert 1 <= scale < 2


def test_the_best_scale_is_no_worse_than_the_full_range():
    values = torch.cat([torch.randn(10_000, generator=torch.Generator().manual_seed(0)).relu(), torch.tensor([30.0])])
    step = observe.best_scale(values, signed=False)
    error = (torch.clamp(torch.round(values / step), 0, 255) * step - values).square().mean()
    full = (torch.clamp(torch.round(values / (30 / 255)), 0, 255) * (30 / 255) - values).square().mean()
    assert error <= full


def small(*layers):
    return nn.Sequential(*layers, GlobalAveragePool(), nn.Flatten(), nn.Linear(16, 12)).eval()


@pytest.mark.parametrize(
    ("network", "said"),
    [
        (nn.Sequential(nn.Conv2d(1, 16, 3), nn.Sigmoid()), "Sigmoid"),
        (nn.Sequential(nn.Conv2d(1, 16, 3, dilation=2)), "dilation"),
        (nn.Sequential(nn.Conv2d(4, 16, 3, groups=2)), "2 groups"),
        (nn.Sequential(nn.ReLU()), "ReLU"),
    ],
)
def test_unsupported_layers_are_named(network, said):
    with pytest.raises(TargetError, match=said):
        chain.fold(network)


@pytest.mark.parametrize(
    ("network", "rule"),
    [
        (small(nn.Conv2d(1, 18, 3), nn.ReLU(), nn.Conv2d(18, 16, 1), nn.ReLU()), "channels: multiples of 4, not 18"),
        (small(nn.Conv2d(1, 16, (3, 9)), nn.ReLU()), "first-width: kernels at most 8 wide, not 9"),
        (small(nn.Conv2d(1, 16, 1), nn.ReLU(), nn.Conv2d(16, 16, (8, 2)), nn.ReLU()), "kernel-height"),
        (small(nn.Conv2d(1, 16, 3), nn.ReLU(), nn.Conv2d(16, 16, 1, stride=2), nn.ReLU()), "pointwise-stride"),
        (
            nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), GlobalAveragePool(), nn.Flatten(), nn.Linear(8, 12)).eval(),
            "linear-inputs",
        ),
    ],
)
def test_layers_that_the_npu_would_refuse_are_refused_here(network, rule):
    with pytest.raises(TargetError, match=rule):
        lower.lower(ptq.quantize(network, inputs(8, 0), QuantSection()), SPEC, LABELS, "x")


def test_a_network_with_nan_is_refused_by_name():
    network = trained_like(9)
    with torch.no_grad():
        network[1].weight[0, 0, 0, 0] = float("nan")
    with pytest.raises(TargetError, match="conv1: weight should be finite"):
        ptq.quantize(network, inputs(8, 0), QuantSection())


def test_asymmetric_padding_is_kept():
    layers = chain.fold(small(Pad(4, 5, 1, 1), nn.Conv2d(1, 16, (10, 4), stride=2), nn.ReLU()))
    assert layers[0].pad == (4, 5, 1, 1) and layers[0].forward(inputs(1, 0)).shape[2:] == (25, 5)
