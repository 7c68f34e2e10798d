"""Products, sums of unequal scales and tables: trained for a few steps, the torch forward is still the interpreter."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from edgekws.errors import TargetError
from edgekws.quant import ptq
from edgekws.quant.frontends import torch_fx
from edgekws.recipe import QuantSection
from tests.quant.test_quant import differing, inputs, lowered, train_a_little


class SqueezeExcite(nn.Module):
    """Channel gates (Hu et al., arXiv 1709.01507), with the hard sigmoid of MobileNetV3 (arXiv 1905.02244)."""

    def __init__(self, channels, gate):
        super().__init__()
        self.squeeze = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, 4, 1), nn.ReLU())
        self.excite = nn.Sequential(nn.Conv2d(4, channels, 1), gate)

    def forward(self, x):
        return x * self.excite(self.squeeze(x))


class MeanAdded(nn.Module):
    def forward(self, x):
        return functional.adaptive_avg_pool2d(x, 1) + x


class Gated(nn.Module):
    """x times a sigmoid of another branch."""

    def __init__(self, channels):
        super().__init__()
        self.value, self.gate = nn.Conv2d(channels, channels, 1), nn.Conv2d(channels, channels, 1)

    def forward(self, x):
        return self.value(x).tanh() * torch.sigmoid(self.gate(x))


class Swish(nn.Module):
    def forward(self, x):
        return x * torch.sigmoid(x)


BLOCKS = {
    "se": lambda: SqueezeExcite(8, nn.Sigmoid()),
    "mobilenet3": lambda: nn.Sequential(nn.Hardswish(), SqueezeExcite(8, nn.Hardsigmoid())),
    "broadcast": lambda: nn.Sequential(nn.SiLU(), MeanAdded()),
    "gated": lambda: Gated(8),
    "swish": Swish,
    "prelu": lambda: nn.PReLU(8, 0.3),
    "shared_prelu": nn.PReLU,
    "leaky": lambda: nn.LeakyReLU(0.2),
    "gelu": lambda: nn.Sequential(nn.GELU(), nn.Conv2d(8, 8, 1), nn.ELU(0.7)),
}


def network(block):
    torch.manual_seed(1)
    head = [nn.Conv2d(1, 8, (9, 4), stride=(4, 2)), nn.BatchNorm2d(8)]
    return nn.Sequential(*head, BLOCKS[block](), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 12)).eval()


@pytest.mark.parametrize("block", BLOCKS)
def test_the_torch_forward_equals_the_interpreter_after_training(block):
    model = network(block)
    quantized = ptq.quantize(torch_fx.trace(model), inputs(32, 0), QuantSection(target="int8"))
    with torch.no_grad():
        real, result = model(inputs(32, 0)), quantized(inputs(32, 0))
    assert (real - result).abs().mean() < 0.1 * real.std()
    train_a_little(quantized, 0)
    assert not differing(quantized, lowered(quantized), inputs(16, 1))


def test_a_function_of_a_function_is_one_table():
    layers = torch_fx.trace(network("swish"))
    assert [layer.kind for layer in layers] == ["conv2d", "table", "global_sum_pool", "linear"]


def test_the_npu_leaves_gates_to_the_cpu():
    quantized = ptq.quantize(torch_fx.trace(network("se")), inputs(32, 0), QuantSection(target="tinpu"))
    with pytest.raises(TargetError, match="sigmoid1 should be legal on tinpu"):
        lowered(quantized)
    assert not differing(quantized, lowered(quantized, strict=False), inputs(16, 1))
