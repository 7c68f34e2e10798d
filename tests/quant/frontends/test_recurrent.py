"""Gated recurrent units through torch.fx and ONNX: every common way to use their states, and what is refused."""

import warnings

import pytest
import torch
from torch import nn

from edgekws.errors import TargetError
from edgekws.quant import ptq
from edgekws.quant.float_layers import run_layers
from edgekws.quant.frontends import onnx, torch_fx
from edgekws.recipe import QuantSection
from tests.quant.test_quant import differing, inputs, lowered, train_a_little

ENDS = {
    "last row": lambda out, _: out[:, -1],
    "last state": lambda _, state: state[-1],
    "mean": lambda out, _: out.mean(1),
    "relu": lambda out, _: torch.relu(out[:, -1]),
    "residual": lambda out, state: out.mean(1) + state[-1],
}


class Crnn(nn.Module):
    """A convolution over time and coefficients, then a GRU over time."""

    def __init__(self, end="last row", rows_first=False, **options):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, 4, (9, 4), stride=(10, 3)), nn.BatchNorm2d(4)
        self.gru = nn.GRU(12, 6, batch_first=not rows_first, **options)
        self.fc, self.end, self.rows_first = nn.Linear(6, 12), end, rows_first

    def forward(self, x):
        y = self.norm(self.conv(x)).relu().permute(0, 2, 1, 3).flatten(2)
        out, state = self.gru(y.transpose(0, 1) if self.rows_first else y)
        return self.fc(ENDS[self.end](out.transpose(0, 1) if self.rows_first else out, state))


def built(**options):
    torch.manual_seed(0)
    return Crnn(**options).eval()


FORMS = {
    "one layer": {},
    "two layers": {"num_layers": 2, "end": "last state"},
    "rows first": {"rows_first": True},
    "no bias": {"bias": False, "end": "mean"},
    "relu of states": {"end": "relu"},
    "sum of states": {"end": "residual"},
}


@pytest.mark.parametrize("form", FORMS)
def test_states_are_those_of_torch(form):
    network, x = built(**FORMS[form]), inputs(8, 0)
    layers = torch_fx.trace(network)
    with torch.no_grad():
        assert torch.allclose(run_layers(layers, x)[layers[-1].name].flatten(1), network(x), atol=1e-5)


@pytest.mark.parametrize("form", ["one layer", "two layers"])
def test_an_onnx_file_has_the_layers_of_the_module(form, tmp_path):
    network, x, path = built(**FORMS[form]), inputs(8, 0), tmp_path / "crnn.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(network, (x[:1],), str(path), dynamo=False, dynamic_axes={"x": {0: "n"}}, input_names=["x"])
    layers = onnx.read(path).layers
    with torch.no_grad():
        assert torch.allclose(run_layers(layers, x)[layers[-1].name].flatten(1), network(x), atol=1e-5)


def test_a_trained_network_is_lowered_to_its_integers():
    network, x = built(num_layers=2, end="residual"), inputs(32, 0)
    quantized = ptq.quantize(torch_fx.trace(network), x, QuantSection(target="int8"))
    with torch.no_grad():
        real = network(x)
        assert (quantized(x) - real).abs().mean() < 0.1 * real.std()
    train_a_little(quantized, 0, steps=2)
    assert not differing(quantized, lowered(quantized), inputs(8, 1))


class WithState(Crnn):
    def forward(self, x):
        y = self.conv(x).permute(0, 2, 1, 3).flatten(2)
        return self.fc(self.gru(y, torch.zeros(1, 2, 6))[0][:, -1])


def test_other_units_are_refused_by_name():
    cases = {"bidirectional=True": built(bidirectional=True), "a first state": WithState()}
    for got, network in cases.items():
        with pytest.raises(TargetError, match=f"gru should.*{got}"):
            torch_fx.trace(network)


def test_only_recurrent_layers_read_rows_before_clips():
    class Turned(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(10, 12)

        def forward(self, x):
            return self.fc(x.squeeze(1).transpose(0, 1))[-1]

    with pytest.raises(TargetError, match="fc should read clips along the first axis"):
        torch_fx.trace(Turned())


def test_states_are_joined_only_with_their_like():
    class Joined(Crnn):
        def forward(self, x):
            y = self.conv(x).permute(0, 2, 1, 3).flatten(2)
            return self.fc(torch.cat([self.gru(y)[0], y], 2).mean(1)[:, :6])

    with pytest.raises(TargetError, match="states of a recurrent layer may only be joined with their like"):
        ptq.quantize(torch_fx.trace(Joined()), inputs(8, 0), QuantSection(target="int8"))
