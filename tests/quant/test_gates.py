"""Products, sums of unequal scales and tables: trained for a few steps, the torch forward is still the interpreter."""

import warnings

import pytest
import torch
from torch import nn
from torch.nn import functional

from edgekws.errors import TargetError
from edgekws.graph.ir import INPUT
from edgekws.quant import ptq
from edgekws.quant.float_layers import Layer, run_layers
from edgekws.quant.frontends import onnx, torch_fx
from edgekws.quant.recurrent import gru_body
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


class Difference(nn.Module):
    """A tensor less its mean over frequency."""

    def forward(self, x):
        return x.tanh() - x.mean(3, keepdim=True)


class Swish(nn.Module):
    def forward(self, x):
        return x * torch.sigmoid(x)


BLOCKS = {
    "se": lambda: SqueezeExcite(8, nn.Sigmoid()),
    "mobilenet3": lambda: nn.Sequential(nn.Hardswish(), SqueezeExcite(8, nn.Hardsigmoid())),
    "broadcast": lambda: nn.Sequential(nn.SiLU(), MeanAdded()),
    "gated": lambda: Gated(8),
    "swish": Swish,
    "difference": Difference,
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


def recurrent_layers(hidden=8):
    """A convolution, a gated recurrent unit over its rows, the mean of its states and 12 scores; and the torch form."""
    torch.manual_seed(3)
    conv, gru = nn.Conv2d(1, 6, (9, 10), stride=(8, 1)), nn.GRU(6, hidden, batch_first=True)
    scores, none = nn.Linear(hidden, 12), torch.zeros(0)
    for value in (*conv.parameters(), *gru.parameters(), *scores.parameters()):
        value.requires_grad_(False)
    weight, bias = gru.weight_ih_l0.chunk(3), gru.bias_ih_l0.chunk(3)
    steps = [Layer(f"x{k}", "conv2d", ("conv",), weight[k][:, :, None, None], bias[k]) for k in range(3)]
    body = gru_body("gru", gru.weight_hh_l0, gru.bias_hh_l0)
    return conv, gru, scores, [
        Layer("conv", "conv2d", (INPUT,), conv.weight, conv.bias, stride=(8, 1), relu=True),
        *steps,
        Layer("gru", "scan", ("x0", "x1", "x2"), none, none, body=body),
        Layer("pool", "global_sum_pool", ("gru",), none, none),
        Layer("fc", "linear", ("pool",), scores.weight, scores.bias),
    ]  # fmt: skip


@pytest.mark.parametrize("bits", [8, 4])
def test_a_gated_recurrent_unit_has_the_integers_of_its_scan(bits):
    conv, gru, scores, layers = recurrent_layers()
    x = inputs(32, 0)
    with torch.no_grad():
        rows = conv(x).relu()[..., 0].transpose(1, 2)
        real = scores(gru(rows)[0].mean(1))
        quantized = ptq.quantize(layers, x, QuantSection(target="int8", weight_bits=bits))
        assert (real - quantized(x)).abs().mean() < 0.1 * real.std()
    train_a_little(quantized, 0)
    assert all(value.grad is not None for value in quantized.parameters())
    graph = lowered(quantized)
    assert not differing(quantized, graph, inputs(16, 1))
    assert [node.weight_bits for node in graph.node("gru").body if node.op == "linear"] == [bits] * 3


class ByHand(nn.Module):
    """A GELU in pieces, as older exporters write it."""

    def forward(self, x):
        return x * (torch.erf(x / 2**0.5) + 1) * 0.5


ACTIVATIONS = [
    nn.Sigmoid(), nn.Tanh(), nn.Hardswish(), nn.Hardsigmoid(), nn.SiLU(), nn.Mish(), nn.Softplus(),
    nn.GELU(), nn.ELU(0.5), nn.CELU(0.5), nn.LeakyReLU(0.3), nn.PReLU(8, 0.2), nn.PReLU(), ByHand(),
]  # fmt: skip


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=lambda each: type(each).__name__)
def test_an_activation_is_one_table_whether_it_comes_from_torch_or_onnx(activation, tmp_path):
    torch.manual_seed(1)
    model = nn.Sequential(nn.Conv2d(1, 8, 3, stride=3), activation, nn.Flatten(), nn.Linear(8 * 16 * 3, 12)).eval()
    x, path = inputs(4, 0), tmp_path / "x.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(model, (x[:1],), str(path), dynamo=False, dynamic_axes={"x": {0: "n"}}, input_names=["x"])
    for layers in (torch_fx.trace(model), onnx.read(path).layers):
        assert [layer.kind for layer in layers] == ["conv2d", "table", "linear"]
        with torch.no_grad():
            assert torch.allclose(run_layers(layers, x)["fc"], model(x), atol=1e-5)
