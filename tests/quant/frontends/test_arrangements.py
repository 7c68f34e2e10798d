"""Windows, moves and joins: the layers give torch's own results; what only moves values costs no layer where it can."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from edgekws.features.spec import INPUT_SCALE
from edgekws.quant import float_layers
from edgekws.quant.frontends import torch_fx
from edgekws.quant.frontends.assemble import place


class Net(nn.Module):
    def __init__(self, forward):
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.point = nn.Conv2d(1, 12, 3, 2), nn.Conv2d(12, 12, 1)
        self.norm, self.long = nn.BatchNorm1d(12), nn.Conv1d(12, 12, 3, groups=4, dilation=2)
        self.many, self.fc = nn.Conv2d(12, 24, 3, padding=1, groups=12), nn.Linear(12, 5)
        self.run = forward

    def forward(self, x):
        return self.run(self, self.conv(x))


def clips(count):
    ints = torch.randint(-128, 128, (count, 1, 20, 10), generator=torch.Generator().manual_seed(0))
    return ints.float() * INPUT_SCALE


def normalized(m, y):
    """Statistics as training leaves them."""
    with torch.no_grad():
        m.norm.running_mean.copy_(torch.linspace(-1, 1, 12)), m.norm.running_var.copy_(torch.linspace(0.5, 2, 12))
    return m.norm(y)


SAME = {  # y: [n, 12, 9, 4]
    "padded maximum": (lambda m, y: functional.max_pool2d(y, 3, 2, 1), "conv1 max1"),
    "maximum rounded up": (lambda m, y: functional.max_pool2d(y, (4, 3), (2, 2), (1, 0), ceil_mode=True), None),
    "zeros before a maximum": (lambda m, y: functional.max_pool2d(functional.pad(y.relu(), (0, 1, 1, 0)), 2), None),
    "maximum over time": (lambda m, y: functional.max_pool1d(y.flatten(2), 5, 3, 2), None),
    "mean of windows": (lambda m, y: functional.avg_pool2d(y, (3, 2), (2, 1)), None),
    "mean without zeros": (lambda m, y: functional.avg_pool2d(y, 3, 2, 1, count_include_pad=False), None),
    "mean with zeros": (lambda m, y: functional.avg_pool2d(y, 3, 2, 1), "conv1 dw1"),
    "mean rounded up": (lambda m, y: functional.avg_pool2d(y, 2, 2, ceil_mode=True), None),
    "mean to windows": (lambda m, y: functional.adaptive_avg_pool2d(y, (3, 2)), None),
    "mean of frames": (lambda m, y: y.mean(2), None),
    "mean of columns": (lambda m, y: y.mean(-1, keepdim=True), None),
    "mean of channels": (lambda m, y: y.mean(1), None),
    "mean of all": (lambda m, y: y.mean((1, 2, 3), keepdim=True), None),
    "mean of a view": (lambda m, y: y.flatten(2).mean(2), "conv1 pool"),
    "multiple filters": (lambda m, y: m.many(y), None),
    "groups over time": (lambda m, y: m.long(y.flatten(2)), None),
    "limits": (lambda m, y: y.clamp(-0.5, 0.75), "conv1"),
    "lower limit": (lambda m, y: torch.clamp(y, min=-0.1), "conv1"),
    "two limits": (lambda m, y: functional.hardtanh(functional.relu6(y), 0.1, 0.3), "conv1"),
    "activation read twice": (lambda m, y: m.point(y.relu()) + y, None),
    "channels last": (lambda m, y: m.fc(y.permute(0, 2, 3, 1)).mean((1, 2)), "conv1 pw1 pool"),
    "shuffled channels": (lambda m, y: m.point(functional.channel_shuffle(y, 3)).mean((2, 3)), "conv1 pw1 pool"),
    "turned and flat": (lambda m, y: functional.linear(y.transpose(1, 2).flatten(1), torch.eye(432)[:7]), "conv1 fc"),
    "parts": (lambda m, y: sum_of_parts(y), "conv1 slice1 slice2 add1 slice3 add2"),
    "every second": (lambda m, y: m.point(y[:, :, ::2, 1:]), None),
    "turned": (lambda m, y: m.point(y.transpose(2, 3)), "conv1 pw1"),
    "joined channels": (lambda m, y: torch.cat([y, m.point(y)], 1).relu(), None),
    "joined frames": (lambda m, y: torch.cat([y, m.point(y)], 2), None),
    "joined flat": (
        lambda m, y: functional.linear(torch.cat([y.flatten(1), y.mean((2, 3))], 1), torch.eye(444)[3:9]),
        None,
    ),
    "stacked": (lambda m, y: torch.stack([y.mean(3), y.mean(3)], 3), None),
    "normalized over time": (lambda m, y: normalized(m, y.flatten(2)), "conv1"),
    "normalized after all": (lambda m, y: normalized(m, y.flatten(2).relu()), "conv1 scale1"),
    "normalized coefficients": (lambda m, y: y * torch.tensor([1.0, 2.0, 3.0, -1.0]) - torch.ones(4), None),
    "numbers": (lambda m, y: (1 - 2 * y) / 4 + 0.5, "conv1"),
    "padded channels": (lambda m, y: y[:, :, 1:-1].reshape(y.shape[0], 3, 4, 7, 4).transpose(1, 2).flatten(1, 2), None),
}


def sum_of_parts(y):
    first, second, third = y.chunk(3, 1)
    return first + second + third


@pytest.mark.parametrize(("forward", "names"), SAME.values(), ids=SAME)
def test_layers_give_the_results_of_torch(forward, names):
    network, x = Net(forward).eval(), clips(3)
    layers = torch_fx.trace(network, (20, 10))
    with torch.no_grad():
        expected, values = network(x).flatten(1), float_layers.run_layers(layers, x)
    assert torch.allclose(values[layers[-1].name].flatten(1), expected, atol=1e-5)
    computing = [layer.name for layer in layers if not layer.name.startswith(("reshape", "transpose"))]
    assert names is None or computing == names.split()


@pytest.mark.parametrize("seed", range(20))
def test_values_are_brought_into_any_order_of_axes(seed):
    """A tensor is seen with up to five axes, in another order, from a part of it on: the steps give the same."""
    generator = torch.Generator().manual_seed(seed)
    shape = (6, 8, 4)
    axes = [2, 3, 8, 2, 2]
    order = torch.randperm(5, generator=generator).tolist()
    index = torch.arange(6 * 8 * 4).view(shape)[:, :, : 4 - seed % 2 * 2]
    axes[4] = index.shape[2] // axes[3]
    wanted = index.reshape(axes).permute(order).reshape(axes[order[0]], -1, axes[order[4]])
    steps = place.steps(wanted, shape)
    assert steps is not None
    values = torch.randn(1, *shape)
    result = values
    for step in steps:
        layer = float_layers.Layer("x", step.kind, ("input",), torch.zeros(0), torch.zeros(0), **step.fields)
        result = layer.forward(result)
    assert torch.equal(result.flatten(), values.flatten()[wanted.flatten()])
