"""Published networks of other shapes: trained for some steps, they are the same integers everywhere.

tests/conformance has ONNX and emulated boards.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

import edgekws
from edgekws import plugins
from edgekws.features.spec import INPUT_SCALE
from edgekws.graph import interp
from edgekws.quant import float_layers
from edgekws.quant.frontends import torch_fx
from tests.quant.networks.zoo import ZOO

LABELS = 12
FAST = ("sparknet", "sub-bands", "svdf")
"""Small ones; the slow tests run all of them."""


def clips(count, seed):
    ints = torch.randint(-128, 128, (count, 1, 49, 10), generator=torch.Generator().manual_seed(seed))
    return ints.float() * INPUT_SCALE


def trained_like(name):
    torch.manual_seed(0)
    network = ZOO[name](LABELS).train()
    with torch.no_grad():
        for seed in range(3):
            network(clips(8, seed))
    return network.eval()


def prepared(name, steps=2, bits=8, target="int8"):
    """After `steps` steps of quantization-aware training."""
    network = edgekws.prepare(trained_like(name), target, bits, clips(16, 1), method="qat", strict=False)
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3)
    network.train()
    for step in range(steps):
        network.before_step(step / steps)
        optimizer.zero_grad()
        network(clips(8, step)).square().mean().backward()
        optimizer.step()
        network.after_step()
    return network.eval()


def differing(network, graph, x):
    """Layers whose integers differ between the torch forward and the interpreter."""
    ints = (x[:, 0] / INPUT_SCALE).numpy().astype(np.int32)[..., None]
    wrong = []
    with torch.no_grad():
        for (name, values), (node, expected) in zip(network.integers(x), interp.trace(graph, ints), strict=True):
            result = values.reshape(len(x), node.out_shape[2], *node.out_shape[:2]).permute(0, 2, 3, 1).numpy()
            wrong += [name] * (not np.array_equal(result, expected))
    return wrong


@pytest.mark.parametrize("name", FAST)
def test_the_layers_of_a_network_give_its_scores_and_its_integers_those_of_the_interpreter(name):
    network, x = trained_like(name), clips(3, 7)
    layers = torch_fx.trace(network)
    with torch.no_grad():
        expected, result = network(x).flatten(1), float_layers.run_layers(layers, x)[layers[-1].name].flatten(1)
    assert torch.allclose(result, expected, atol=1e-4, rtol=1e-3)
    quantized = prepared(name)
    assert not differing(quantized, edgekws.lower(quantized), x)


@pytest.mark.slow
@pytest.mark.parametrize("name", ZOO)
@pytest.mark.parametrize(("target", "bits"), [("int8", 8), ("int8", 4), ("tinpu", 8), ("tinpu", 4)])
def test_every_network_is_the_same_integers_in_torch_the_interpreter_and_c(name, target, bits):
    quantized, x = prepared(name, 2, bits, target), clips(8, 7)
    graph = edgekws.lower(quantized)
    assert not differing(quantized, graph, x)
    ints = (x[:, 0] / INPUT_SCALE).numpy().astype(np.int8)
    assert np.array_equal(graph.compile("c")(ints), graph.run(ints))


def test_plugins_are_not_in_the_zoo_twice():
    assert not set(ZOO) & set(plugins.names("networks"))
