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
from edgekws.graph.ir import INPUT
from edgekws.nets import dscnn
from edgekws.quant import equalize, float_layers, lower, observe, ptq, reconstruct
from edgekws.quant.frontends import torch_fx
from edgekws.quant.requantize import requantize
from edgekws.quant.weighted import Normalized, Weighted
from edgekws.recipe import QuantSection
from edgekws.training.layers import GlobalAveragePool, Pad
from edgekws.training.optimizer import parameter_groups
from tests.quant.networks import NETWORKS, all_networks, built_small

SPEC = FeatureSpec()
LABELS = tuple(f"word{i}" for i in range(12))


def trained_like(seed, channels=16, blocks=2, net=dscnn):
    """A network with batch statistics as training leaves them."""
    torch.manual_seed(seed)
    network = built_small(net, channels=channels, blocks=blocks)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.3, 2.0)
            nn.init.normal_(module.bias, 0, 0.5)
    network.train()
    with torch.no_grad():
        for _ in range(20):
            network(inputs(64, seed))
    return network.eval()


def quantized(network, count=64, seed=0, **plan):
    return ptq.quantize(torch_fx.trace(network), inputs(count, seed), QuantSection(**plan))


def lowered(network, **options):
    return lower.lower(network, SPEC, LABELS, "x", **options)


def inputs(count, seed):
    ints = torch.randint(-128, 128, (count, 1, 49, 10), generator=torch.Generator().manual_seed(seed))
    return ints.float() * INPUT_SCALE


def as_int8(x):
    return (x[:, 0] / INPUT_SCALE).numpy().astype(np.int8)


def differing(network, graph, x):
    """Layers whose integers differ between the torch forward, in eval mode, and the interpreter."""
    network.eval()
    steps = interp.trace(graph, as_int8(x).astype(np.int32)[..., None])
    wrong = []
    with torch.no_grad():
        for (name, values), (node, expected) in zip(network.integers(x), steps, strict=True):
            result = values.reshape(len(x), node.out_shape[2], *node.out_shape[:2]).permute(0, 2, 3, 1)
            wrong += [name] * (not np.array_equal(result.numpy(), expected))
    return wrong


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 10_000),
    st.sampled_from(NETWORKS),
    st.sampled_from([("tinpu", 8), ("tinpu", 4), ("tinpu", 2), ("int8", 8), ("int8", 4)]),
    st.sampled_from([{}, {"dw*": 8, "fc": 4}]),
    st.sampled_from([0, 1]),
)
def test_every_layer_of_the_torch_forward_equals_the_interpreter(seed, net, rule, layers, headroom):
    target, bits = rule
    plan = {"target": target, "weight_bits": bits, "layers": layers, "headroom_bits": headroom}
    network = quantized(trained_like(seed, net=net), seed=seed, **plan)
    train_a_little(network, seed)
    assert not differing(network, lowered(network), inputs(16, seed + 1))


def train_a_little(network, seed, steps=3):
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    for step in range(steps):
        network.before_step(step / steps)
        optimizer.zero_grad()
        network(inputs(16, seed)).square().mean().backward()
        optimizer.step()
        network.after_step()


@pytest.mark.filterwarnings("ignore:TF32")
def test_sums_are_exact_without_onednn():
    """Without oneDNN, torch uses NNPACK for batches of 16 and more."""
    network = quantized(small(nn.Conv2d(1, 16, 3), nn.ReLU(), nn.Conv2d(16, 16, 5, padding=2), nn.ReLU()))
    with torch.backends.mkldnn.flags(enabled=False):
        assert not differing(network, lowered(network), inputs(32, 1))


def test_a_users_autocast_rounds_no_sum():
    network = quantized(trained_like(3))
    with torch.autocast("cpu", torch.bfloat16):
        assert not differing(network, lowered(network), inputs(16, 1))
        network(inputs(16, 1)).square().mean().backward()
    assert all(value.grad is not None and value.grad.dtype == torch.float32 for value in network.parameters())


def test_quantized_scores_stay_near_the_float_ones():
    network = trained_like(1)
    x = inputs(256, 2)
    integers = quantized(network, 256, 3)
    with torch.no_grad():
        real, result = network(x), integers(x)
    assert (real - result).abs().mean() < 0.1 * real.std()


@all_networks
def test_folding_batch_normalization_keeps_the_function(net):
    network = trained_like(4, net=net)
    x = inputs(8, 5)
    layers = torch_fx.trace(network)
    with torch.no_grad():
        assert torch.allclose(float_layers.run_layers(layers, x)[layers[-1].name].flatten(1), network(x), atol=1e-4)


def test_equalization_keeps_the_function_and_brings_ranges_together():
    layers = torch_fx.trace(trained_like(5))
    x = inputs(8, 5)
    changed = equalize.equalized(layers)
    before, after = float_layers.run_layers(layers, x)["fc"], float_layers.run_layers(changed, x)["fc"]
    assert torch.allclose(before, after, atol=1e-3)
    ranges = [layer.weight.abs().flatten(1).amax(1) for layer in (layers[1], changed[1])]
    assert ranges[1].std() / ranges[1].mean() < ranges[0].std() / ranges[0].mean()


@pytest.mark.parametrize("name", ["dw1", "pw1", "fc"])  # inputs of conv1 are noise here: rounding is as good
def test_reconstruction_brings_the_sums_of_a_layer_nearer_than_rounding(name):
    layers, x = torch_fx.trace(trained_like(7)), inputs(128, 7)
    layer = next(layer for layer in layers if layer.name == name)
    with torch.no_grad():
        x = {INPUT: x, **float_layers.run_layers(layers, x)}[layer.inputs[0]]
    filters = layer.weight.flatten(1)
    step = ptq.best_step(filters, 1, (0.3, 0.5, 0.7))
    weights, chosen = reconstruct.reconstructed(filters, reconstruct.second_moments(layer, x), [step], 1)
    rounded = (filters / torch.from_numpy(step)[:, None]).round().clamp(-1, 1)

    def error(integers):
        weight = (integers * torch.from_numpy(step)[:, None]).float().view_as(layer.weight)
        return float((layer.accumulate(x, weight=weight) - layer.accumulate(x)).square().mean())

    assert np.array_equal(chosen, step)
    assert set(weights.unique().tolist()) <= {-1.0, 0.0, 1.0}
    assert error(weights) < 0.9 * error(rounded)


def test_normalizations_move_stay_legal_and_freeze():
    network = quantized(trained_like(8), weight_bits=4)
    layer = next(layer for layer in network if isinstance(layer, Normalized))
    before, mean = layer.factor().detach().clone(), layer.mean.clone()
    network.train()
    train_a_little(network, 8, steps=20)
    mult, shift = layer.multiplier()
    assert not torch.equal(layer.factor(), before) and not torch.equal(layer.mean, mean)
    assert np.array_equal(np.ldexp(mult, -shift), layer.factor().detach().double().numpy())
    assert mult.min() >= 1 and mult.max() <= 255
    network.before_step(0.9)
    mean = layer.mean.clone()
    network(inputs(16, 3))
    assert torch.equal(layer.mean, mean) and not differing(network, lowered(network), inputs(16, 4))


@pytest.mark.parametrize("bits", [4, 2])
def test_calibration_gives_each_channel_the_float_layers_mean_and_spread(bits):
    real, x = trained_like(3), inputs(128, 3)
    layers, network = torch_fx.trace(real), quantized(real, 128, 3, weight_bits=bits)
    with torch.no_grad():
        expected = float_layers.run_layers(layers, x)["fc"]
        result = network(x)
    assert torch.allclose(result.mean(0), expected.mean(0), atol=0.1 * float(expected.std()))
    assert torch.allclose(result.std(0), expected.std(0), rtol=0.25)


def test_training_by_the_batch_and_by_the_integers_are_one_function_when_the_moments_agree():
    network = quantized(trained_like(4), 256, 4, weight_bits=4)
    x = inputs(256, 4)
    first = next(layer for layer in network if isinstance(layer, Normalized))
    integers = torch.round(x / INPUT_SCALE)
    with torch.no_grad():
        network.eval()
        by_integers = first(integers)
        network.train()
        by_batch = first(integers)
    assert (by_integers - by_batch).abs().max() <= 3 and (
        by_integers - by_batch
    ).abs().mean() < 0.1  # multipliers have 7 or 8 bits


@pytest.mark.parametrize("bits", [4, 2])
@pytest.mark.parametrize("gain", [1e-2, 1e-6])
def test_a_weak_channel_stays_legal_and_keeps_its_bias(bits, gain):
    """Its weights are tiny beside its bias: an offset in steps of such weights would not fit 16 bits."""
    network = trained_like(5)
    with torch.no_grad():
        network[1].weight[0] *= gain
    x = inputs(64, 5)
    graph = lowered(quantized(network, 64, 5, weight_bits=bits))
    _, first = next(iter(interp.trace(graph, as_int8(x).astype(np.int32)[..., None])))
    with torch.no_grad():
        expected = float_layers.run_layers(torch_fx.trace(network), x)["conv1"][:, 0]
    assert abs(first[..., 0].mean() * graph.nodes[0].out_scale - float(expected.mean())) < 2 * graph.nodes[0].out_scale


@pytest.mark.parametrize("bits", [8, 4])
def test_a_bias_that_drifts_away_in_training_stays_within_the_offset(bits):
    network = quantized(trained_like(6), weight_bits=bits)
    with torch.no_grad():
        for layer in network:
            if isinstance(layer, Weighted):
                layer.bias[0] = 1e5
    network.after_step()
    lowered(network)


@pytest.mark.parametrize("bits", [8, 4, 2])
def test_weights_never_leave_their_range(bits):
    network = quantized(trained_like(9), weight_bits=bits)
    with torch.no_grad():
        for value in network.parameters():
            value.mul_(3.0)
    network.after_step()
    for layer in network:
        if isinstance(layer, Weighted):
            steps = (layer.weight / layer.step.view(-1, *[1] * (layer.weight.ndim - 1))).abs()
            assert steps.max() < layer.limit + 0.5
    assert not differing(network, lowered(network), inputs(8, 1))


def test_the_gradient_of_requantization_is_that_of_its_real_function():
    """Against autograd of the same function without floor; few values are clipped."""
    acc = torch.randn(64, 3, 4, 4) * 100 + 2000
    offset, factor = torch.tensor([10.0, 20.0, 5.0]), torch.tensor([3 / 64, 5 / 128, 7 / 256])
    leaves = [value.clone().requires_grad_() for value in (acc, offset, factor)]
    requantize(leaves[0] * 1, leaves[1], leaves[2], 0, 255, "offset-scale-shift").sum().backward()
    real = [value.clone().requires_grad_() for value in (acc, offset, factor)]
    ((real[0] + real[1].view(1, -1, 1, 1)) * real[2].view(1, -1, 1, 1)).clamp(0, 255).sum().backward()
    for result, expected in zip(leaves, real, strict=True):
        assert torch.allclose(result.grad, expected.grad, rtol=2e-3)


def test_training_the_integers_brings_them_back_to_the_float_network():
    real = trained_like(6)
    network = quantized(real, seed=6)
    x = inputs(64, 7)
    with torch.no_grad():
        expected = real(x)
        for weight in network.parameters():
            weight.add_(torch.randn(weight.shape, generator=torch.Generator().manual_seed(0)), alpha=0.1)
    optimizer = torch.optim.AdamW(parameter_groups(network, 0.0), lr=3e-3)
    losses = []
    for _ in range(40):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(network(x), expected)
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.3 * losses[0]
    scores = interp.run(lowered(network), as_int8(x))
    assert np.array_equal(np.rint(network(x).detach().numpy() / network.score_scale), scores)


def test_headroom_keeps_weights_within_63():
    graph = lowered(quantized(trained_like(8), seed=8))
    largest = [int(np.abs(node.weight.astype(int)).max()) for node in graph.nodes if node.weight is not None]
    assert max(largest) <= 63 and min(largest) >= 32


def test_the_best_scale_is_no_worse_than_the_full_range():
    values = torch.cat([torch.randn(10_000, generator=torch.Generator().manual_seed(0)).relu(), torch.tensor([30.0])])
    step = observe.best_scale([(values, False)])
    error = (torch.clamp(torch.round(values / step), 0, 255) * step - values).square().mean()
    full = (torch.clamp(torch.round(values / (30 / 255)), 0, 255) * (30 / 255) - values).square().mean()
    assert error <= full


def small(*layers):
    return nn.Sequential(*layers, GlobalAveragePool(), nn.Flatten(), nn.Linear(16, 12)).eval()


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (nn.Sequential(nn.Conv2d(1, 16, 3), nn.GroupNorm(4, 16)), "GroupNorm"),
        (nn.Sequential(nn.Conv2d(1, 16, 3), nn.MaxPool2d(2, dilation=2)), "dilation"),
        (nn.Sequential(nn.Conv2d(4, 16, 3, groups=2)), "2 groups"),
    ],
)
def test_unsupported_layers_are_named(network, message):
    with pytest.raises(TargetError, match=message):
        torch_fx.trace(network)


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
def test_layers_that_are_illegal_on_the_npu_are_refused(network, rule):
    with pytest.raises(TargetError, match=rule):
        lowered(quantized(network, 8))


class DepthwiseResidual(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 16, 3), nn.Conv2d(16, 16, 3, padding=1, groups=16)
        self.head = small()

    def forward(self, x):
        x = torch.relu(self.first(x))
        return self.head(torch.relu(x + self.second(x)))


def test_inputs_of_a_residual_are_checked_too():
    network = quantized(DepthwiseResidual().eval(), 8)
    with pytest.raises(TargetError, match=r"add1 should be legal.*residual: one input from a pointwise convolution"):
        lowered(network)
    assert lowered(network, strict=False).node("add1").inputs == ("conv1", "dw1")


def rarely_active(margin=0.2):
    """A network with a ReLU that is rarely active: weights are large, outputs small."""
    torch.manual_seed(0)
    network = small(nn.Conv2d(1, 16, 3), nn.ReLU(), nn.Conv2d(16, 16, 1), nn.ReLU())
    with torch.no_grad():
        network[2].weight.mul_(20)
        network[2].bias.sub_(network[:3](inputs(64, 0)).amax((0, 2, 3)) - margin)
    return network


@pytest.mark.parametrize("reconstruct", [True, False])
@pytest.mark.parametrize("bits", [8, 4])
def test_a_factor_that_the_target_cannot_multiply_by_is_refused(bits, reconstruct):
    with pytest.raises(TargetError, match=r"pw1: scale-range: .*not exceed 1 x the output scale. Got: a ratio of"):
        quantized(rarely_active(margin=0.02), target="int8", weight_bits=bits, reconstruct=reconstruct)


@pytest.mark.parametrize("share", [3e-4, 1e-3, 2e-3])
def test_weak_channels_have_coarse_multipliers_but_no_factor_too_large(share):
    network = small(nn.Conv2d(1, 16, 3), nn.ReLU(), nn.Conv2d(16, 16, 1), nn.ReLU())
    with torch.no_grad():
        network[2].weight.copy_(torch.linspace(0.5, 1, 16).view(-1, 1, 1, 1) * share)
        network[2].weight[0] = 1
    assert lowered(quantized(network, weight_bits=4, reconstruct=False, layers={"pw1": 4}), strict=False)


def test_a_mean_over_one_position_keeps_its_values():
    network = nn.Sequential(nn.Conv2d(1, 16, (49, 10)), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    network = nn.Sequential(*network, nn.Linear(16, 12)).eval()
    network = quantized(network, target="int8")
    before, after = (values for name, values in network.integers(inputs(8, 1)) if name in ("conv1", "pool"))
    assert torch.equal(before, after)


def test_scores_that_int8_cannot_hold_are_refused():
    network = nn.Sequential(nn.Conv2d(1, 12, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    with pytest.raises(TargetError, match="pool: scores should be signed"):
        quantized(network, 8)


def test_a_network_with_nan_is_refused_by_name():
    network = trained_like(9)
    with torch.no_grad():
        network[1].weight[0, 0, 0, 0] = float("nan")
    with pytest.raises(TargetError, match="conv1: weight should be finite"):
        quantized(network, 8)


def test_asymmetric_padding_is_kept():
    layers = torch_fx.trace(small(Pad(4, 5, 1, 1), nn.Conv2d(1, 16, (10, 4), stride=2), nn.ReLU()))
    assert layers[0].pad == (4, 5, 1, 1) and layers[0].forward(inputs(1, 0)).shape[2:] == (25, 5)
