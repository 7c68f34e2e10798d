"""Tracing: every way to write a network gives the same layers; what the graph cannot express is named."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from edgekws.errors import TargetError
from edgekws.features.spec import INPUT_SCALE, FeatureSpec
from edgekws.graph import interp
from edgekws.quant import float_layers, lower, ptq
from edgekws.quant.frontends import torch_fx
from edgekws.recipe import QuantSection
from edgekws.training.layers import Residual

LABELS = tuple(f"word{number}" for number in range(12))


def clips(count, seed=0):
    ints = torch.randint(-128, 128, (count, 1, 49, 10), generator=torch.Generator().manual_seed(seed))
    return ints.float() * INPUT_SCALE


def head(channels=16):
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 12))


class Net(nn.Module):
    """forward: a function of the module and the clips, so that a test shows it in a line."""

    def __init__(self, forward, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.conv, self.second, self.point = nn.Conv2d(1, 16, 3), nn.Conv2d(16, 16, 3, padding=1), nn.Conv2d(16, 16, 1)
        self.norm, self.head, self.fc = nn.BatchNorm2d(1), head(), nn.Linear(16, 12)
        self.run = forward

    def forward(self, x):
        return self.run(self, x)


def same(network, layers, x=None):
    x = clips(4) if x is None else x
    with torch.no_grad():
        result, expected = float_layers.run_layers(layers, x)[layers[-1].name].flatten(1), network.eval()(x).flatten(1)
    assert torch.allclose(result, expected, atol=1e-4, rtol=1e-4)
    return [layer.name for layer in layers]


def differing(network, plan, seed=0, strict=False):
    """Layers whose integers differ between QuantNet and the interpreter, for a network of any layers."""
    quantized = ptq.quantize(torch_fx.trace(network), clips(32, seed), QuantSection(**plan))
    graph = lower.lower(quantized, FeatureSpec(), LABELS, "x", strict=strict)
    x = clips(8, seed + 1)
    ints = (x[:, 0] / INPUT_SCALE).numpy().astype(np.int32)[..., None]
    wrong = []
    with torch.no_grad():
        for (name, values), (node, expected) in zip(quantized.integers(x), interp.trace(graph, ints), strict=True):
            result = values.reshape(len(x), node.out_shape[2], *node.out_shape[:2]).permute(0, 2, 3, 1).numpy()
            wrong += [name] * (not np.array_equal(result, expected))
    return wrong


FORMS = {
    "modules": lambda m, x: m.head(m.point(m.conv(x).relu())),
    "functions": lambda m, x: functional.linear(
        torch.flatten(
            functional.adaptive_avg_pool2d(
                functional.conv2d(
                    torch.relu(functional.conv2d(x, m.conv.weight, m.conv.bias)), m.point.weight, m.point.bias
                ),
                1,
            ),
            1,
        ),
        m.head[2].weight,
        m.head[2].bias,
    ),
    "methods": lambda m, x: m.head[2](m.point(m.conv(x).relu_()).mean((2, 3), keepdim=True).view(x.size(0), -1)),
    "mean of the last axes": lambda m, x: m.head[2](torch.mean(m.point(functional.relu(m.conv(x))), dim=(-1, -2))),
    "reshape by shape": lambda m, x: m.head[2](
        m.head[0](m.point(functional.relu(m.conv(x), inplace=True))).reshape((x.shape[0], -1))
    ),
    "view by count": lambda m, x: m.head[2](m.head[0](m.point(torch.relu(m.conv(x)))).view(-1, 16)),
    "flatten by name": lambda m, x: m.head[2](m.head[0](m.point(torch.relu(m.conv(x)))).flatten(start_dim=1)),
    "size read separately": lambda m, x: m.head[2](size_read(m, x)),
}


def size_read(m, x):
    """Reading a shape does not count as a second reader of the tensor: the ReLU is still fused."""
    y = m.conv(x)
    count = y.size(0)
    return m.point(torch.relu(y)).mean((2, 3)).view(count, -1)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_all_forms_of_one_network_give_the_same_layers(form):
    network, expected = Net(form), torch_fx.trace(Net(FORMS["modules"]))
    layers = torch_fx.trace(network)
    assert same(network, layers) == ["conv1", "pw1", "pool", "fc"]
    for result, each in zip(layers, expected, strict=True):
        assert (
            torch.equal(result.weight, each.weight) and torch.equal(result.bias, each.bias) and result.relu == each.relu
        )


@pytest.mark.parametrize(
    ("forward", "names"),
    [
        (lambda m, x: m.head(functional.relu(m.point(m.conv(x)) + m.second(m.conv(x)))), "conv1 pw1 conv2 conv3 add1"),
        (lambda m, x: m.head(shared(m, m.conv(x).relu())), "conv1 conv2 add1 pw1 add2"),
        (lambda m, x: m.head(functional.max_pool2d(m.conv(x).relu(), 2)), "conv1 max1"),
        (lambda m, x: m.head(torch.add(m.conv(x), m.conv(x))), "conv1 conv2 add1"),
        (lambda m, x: m.head(doubled(m.conv(x))), "conv1 add1"),
        (lambda m, x: m.head(m.conv(functional.pad(functional.pad(x, (1, 2, 3, 4)), (1, 0)))), "conv1"),
        (lambda m, x: m.head(m.conv(m.norm(x))), "scale1 conv1"),
    ],
)
def test_branches_padding_and_normalization_of_the_input(forward, names):
    network = Net(forward)
    network.norm.running_mean.fill_(0.4)
    network.norm.running_var.fill_(2.5)
    assert same(network, torch_fx.trace(network)) == [*names.split(), "pool", "fc"]
    assert not differing(network, {}) and not differing(network, {"target": "int8"})


def shared(m, y):
    """One tensor is read three times."""
    return m.point(m.second(y) + y) + y


def doubled(y):
    return y + y


def test_a_relu_after_a_maximum_moves_before_it_when_nobody_else_reads_that():
    alone = torch_fx.trace(Net(lambda m, x: m.head(functional.max_pool2d(m.conv(x), 2).relu())))
    assert [layer.relu for layer in alone[:2]] == [True, False]
    network = Net(lambda m, x: m.head(read_twice(m, m.conv(x))))
    layers = torch_fx.trace(network)
    assert [layer.relu for layer in layers if layer.kind == "max_pool"] == [True, False] and not layers[0].relu
    same(network, layers)
    assert not differing(network, {}) and not differing(network, {"target": "int8"})


def read_twice(m, y):
    return m.second(functional.max_pool2d(y, 2).relu()) + functional.max_pool2d(y, 2)


def test_a_dropout_does_not_hide_a_second_reader():
    """relu(dropout(y)) + y: the ReLU must not reach y itself."""
    network = Net(lambda m, x: m.head(after_dropout(m.conv(x))))
    layers = torch_fx.trace(network)
    assert same(network, layers) == ["conv1", "clip1", "add1", "pool", "fc"] and not layers[0].relu
    assert not differing(network, {}) and not differing(network, {"target": "int8"})


def after_dropout(y):
    return torch.relu(functional.dropout(y, 0.5, False)) + y


@pytest.mark.filterwarnings("ignore:Using padding='same':UserWarning")
@pytest.mark.parametrize("kernel", [(2, 2), (3, 4), (5, 1)])
def test_same_padding_is_that_of_torch(kernel):
    network = nn.Sequential(nn.Conv2d(1, 16, kernel, padding="same"), nn.ReLU(), *head())
    same(network, torch_fx.trace(network))


def test_several_linear_layers_with_normalization_between():
    network = nn.Sequential(
        nn.Conv2d(1, 16, 5, 4), nn.ReLU(), nn.Flatten(), nn.Linear(16 * 12 * 2, 20, bias=False), nn.BatchNorm1d(20),
        nn.ReLU(), nn.Dropout(), nn.Linear(20, 12),
    )  # fmt: skip
    network(clips(32))
    assert same(network, torch_fx.trace(network)) == ["conv1", "fc", "fc2"]
    assert not differing(network, {}) and not differing(network, {"target": "int8", "weight_bits": 4})


def test_modes_of_modules_are_kept_and_weights_are_copies():
    network = nn.Sequential(nn.Conv2d(1, 16, 3), nn.BatchNorm2d(16), nn.ReLU(), *head()).train()
    network[1].eval()
    layers = torch_fx.trace(network)
    before = layers[-1].weight.clone()
    with torch.no_grad():
        network[-1].weight.zero_()
    assert [module.training for module in network[:3]] == [True, False, True]
    assert torch.equal(layers[-1].weight, before)


def branching(m, x):
    return m.conv(x) if x.sum() > 0 else m.second(x)


def module(*layers):
    return lambda: nn.Sequential(*layers)


def form(forward):
    return lambda: Net(forward)


REFUSED = {
    "Softmax": (module(nn.Conv2d(1, 16, 3), nn.Softmax(1), nn.ReLU()), "^1: a softmax should be the end"),
    "Transformer": (module(nn.Conv2d(1, 16, 3), nn.LayerNorm(8)), "^1 should be one of: Conv1d.*Got: LayerNorm"),
    "channels": (module(nn.Conv2d(4, 16, 3)), "^0 should fit its input.*Got: 1 channels"),
    "groups": (module(nn.Conv2d(4, 16, 3, groups=2)), "^0 should fit its input.*Got: 1 channels, 2 groups"),
    "reflection": (module(nn.Conv2d(1, 4, 3, padding=1, padding_mode="reflect")), "^0 should be padded with zeros"),
    "constant": (module(nn.ConstantPad2d(1, 2.0), nn.Conv2d(1, 4, 3)), "^0 should pad with zeros"),
    "cropped away": (module(nn.ZeroPad2d(-5), nn.Conv2d(1, 4, 3)), "^0 should fit its input"),
    "statistics": (module(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4, track_running_stats=False)), "^1 should keep running"),
    "dilated maximum": (module(nn.Conv2d(1, 4, 3), nn.MaxPool2d(3, dilation=2)), "^1 should pool without dilation"),
    "zeros in a maximum": (module(nn.Conv2d(1, 4, 3), nn.ZeroPad2d(1), nn.MaxPool2d(2)), "2: zeros before a maximum"),
    "two paddings": (
        module(nn.Conv2d(1, 4, 3), nn.AvgPool2d(3, 2, 1, ceil_mode=True)),
        "^1 should not both count the zeros",
    ),
    "divisor": (module(nn.Conv2d(1, 4, 3), nn.AvgPool2d(3, divisor_override=2)), "^1 should divide by the size"),
    "padded mean": (module(nn.ZeroPad2d(1), nn.AdaptiveAvgPool2d(1)), "1 should be a mean.*without padding"),
    "padded norm": (module(nn.ZeroPad2d(1), nn.BatchNorm2d(1)), "1: only convolutions and pools may follow zero"),
    "average to 2": (module(nn.Conv2d(1, 4, 3), nn.AdaptiveAvgPool2d(2)), "^1 should average all positions"),
    "linear": (module(nn.Linear(11, 12)), "^0 should fit its input.*weights for 11 values, of which there are 10"),
    "conv after flatten": (module(nn.Flatten(), nn.Conv2d(1, 4, 3)), "^1 should read channels and one or two axes"),
    "kernel": (module(nn.Conv2d(1, 4, (50, 3))), "^0 should fit its input"),
    "normalized": (module(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(5)), "^1 should fit its input.*4 channels, 5 factors"),
    "mean of clips": (form(lambda m, x: m.conv(x).mean(0)), "^mean should be a mean over other axes than the batch"),
    "branch": (form(branching), "traceable by torch.fx"),
    "clips joined": (form(lambda m, x: torch.cat([m.conv(x), m.conv(x)])), "^cat should join tensors of the same axes"),
    "constant joined": (form(lambda m, x: torch.cat([m.conv(x), m.fc.weight], 1)), "^cat should join tensors that dep"),
    "one clip": (form(lambda m, x: m.conv(x)[0]), "^getitem should keep the axis of the batch"),
    "repeated": (form(lambda m, x: m.conv(x).repeat_interleave(2, 1)), "^repeat_interleave should be one of"),
    "expanded": (form(lambda m, x: m.conv(x)[:, :1].expand(-1, 16, -1, -1) + m.conv(x)), "slices, transpositions"),
    "turned": (form(lambda m, x: m.point(m.conv(x).flip(2))), "^point should read what slices, transpositions"),
    "pattern": (form(lambda m, x: m.conv(x) + torch.ones(47, 8).triu()), "^add: constants should differ along one"),
    "misfit added": (form(lambda m, x: m.conv(x) + torch.ones(3)), "^add: constants should fit the tensor"),
    "weighted sum": (form(lambda m, x: torch.add(m.conv(x), m.conv(x), alpha=2)), "^add should add two tensors"),
    "ratio": (form(lambda m, x: m.conv(x) / m.conv(x)), "^truediv should divide by a constant"),
    "quotient": (form(lambda m, x: 1 / m.conv(x)), "^truediv should divide by a constant"),
    "flat and not": (form(lambda m, x: m.conv(x) + m.conv(x).flatten(1)), "^add should join tensors of one shape"),
    "reshape": (form(lambda m, x: m.conv(x).reshape(-1, 16, 1)), "^reshape should keep the axis of the batch"),
    "view": (form(lambda m, x: m.conv(x).view(-1, 7)), "^view should fit its input"),
    "computed weight": (form(lambda m, x: functional.conv2d(x, m.conv(x))), "^conv2d should use parameters"),
    "indices": (
        form(lambda m, x: functional.max_pool2d(m.conv(x), 2, None, 0, 1, False, True)),
        "^max_pool2d_with_indices should",
    ),
    "limits": (form(lambda m, x: m.conv(x).clamp(3, 1)), "^clamp should have a range. Got: from 3.0 to 1.0"),
    "nothing": (form(lambda m, x: x), "the tensor of its last layer"),
    "two outputs": (form(lambda m, x: (m.conv(x), m.second(m.conv(x)))), "the tensor of its last layer"),
}


class TwoInputs(nn.Module):
    def forward(self, x, y):
        return x + y


@pytest.mark.parametrize(("build", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_expressed_is_named(build, message):
    with pytest.raises(TargetError, match=message):
        torch_fx.trace(build())


def test_a_network_of_two_inputs_is_refused():
    with pytest.raises(TargetError, match=r"should have one input.*another one, y"):
        torch_fx.trace(TwoInputs())


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda net: net[0].weight[3].fill_(float("nan")), "conv1: weight should be finite.*channel 3"),
        (lambda net: net[0].bias[5].fill_(float("inf")), "conv1: bias should be finite.*channel 5"),
    ],
)
def test_unsound_channels_are_named(spoil, message):
    network = nn.Sequential(nn.Conv2d(1, 16, 3), nn.BatchNorm2d(16), nn.ReLU(), *head())
    with torch.no_grad():
        spoil(network)
    with pytest.raises(TargetError, match=message):
        float_layers.require_valid_weights(torch_fx.trace(network))


def random_network(seed):
    """Supported layers in random order and number; statistics as training leaves them."""
    torch.manual_seed(seed)
    rng, width = np.random.default_rng(seed), 8
    layers = [nn.BatchNorm2d(1, affine=False)] if rng.random() < 0.3 else []
    layers += [nn.Conv2d(1, width, (int(rng.integers(1, 11)), int(rng.integers(1, 5))), stride=2, padding=(2, 1))]
    for _ in range(rng.integers(1, 6)):
        layers += BLOCKS[rng.integers(len(BLOCKS))](width)
    tail = [nn.AdaptiveAvgPool2d(1), nn.Flatten()] if rng.random() < 0.7 else [nn.Flatten()]
    network = nn.Sequential(*layers, *tail)
    size = network.eval()(clips(1)).shape[1]
    network.append(nn.Linear(size, 12))
    network.train()
    with torch.no_grad():
        for number in range(3):
            network(clips(16, seed + number))
    return network.eval()


BLOCKS = (
    lambda c: [nn.Conv2d(c, c, 3, padding=1, groups=c), nn.ReLU()],
    lambda c: [nn.Conv2d(c, c, 1, bias=False), nn.BatchNorm2d(c), nn.ReLU()],
    lambda c: [nn.ZeroPad2d((1, 0, 2, 1)), nn.Conv2d(c, c, (3, 2), stride=(2, 1))],
    lambda c: [nn.MaxPool2d((2, 1))],
    lambda c: [nn.Conv2d(c, c, 1), nn.MaxPool2d(2, 1, ceil_mode=False), nn.ReLU()],
    lambda c: [Residual(nn.Sequential(nn.Conv2d(c, c, 3, padding=1), nn.ReLU(), nn.Conv2d(c, c, 1))), nn.ReLU()],
    lambda c: [Residual(nn.Sequential(nn.Conv2d(c, c, 1), nn.BatchNorm2d(c)))],
    lambda c: [nn.Dropout(0.2), nn.Identity()],
)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 100_000), st.sampled_from([("tinpu", 8), ("tinpu", 4), ("tinpu", 2), ("int8", 8), ("int8", 4)]))
def test_random_modules_equal_their_graph_in_every_layer(seed, rule):
    network = random_network(seed)
    same(network, torch_fx.trace(network))
    assert not differing(network, {"target": rule[0], "weight_bits": rule[1]}, seed)
