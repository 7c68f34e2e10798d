"""Networks with moves, windows, gates, broadcast sums and recurrence, trained for a few steps: the same integers.

Torch, the interpreter, C on this computer and on emulated Cortex-M, and ONNX.
"""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch

from edgekws import plugins
from edgekws.emit import c
from edgekws.errors import BoardError
from edgekws.features.spec import INPUT_SCALE
from edgekws.graph.ir import Graph
from edgekws.quant import ptq
from edgekws.quant.frontends import torch_fx
from edgekws.quant.network import QuantNet
from edgekws.recipe import QuantSection
from firmware_io import board, tools
from firmware_io.bench import executor
from tests.quant.networks.gated import NETWORKS
from tests.quant.networks.zoo import ZOO
from tests.quant.test_quant import as_int8, differing, inputs, lowered, train_a_little

pytestmark = pytest.mark.slow
COUNT = 24
BOARDS = ("qemu-an386", "qemu-an547")


def clips(count: int, seed: int) -> torch.Tensor:
    """Noise of another loudness and level in each clip: means over time tell such clips apart."""
    made = torch.Generator().manual_seed(seed)
    gain, level = torch.rand(count, 1, 1, 1, generator=made), torch.randn(count, 1, 1, 10, generator=made)
    x = inputs(count, seed) * gain + level
    return (x / INPUT_SCALE).round().clamp(-128, 127) * INPUT_SCALE


@pytest.fixture(scope="module", params=[*NETWORKS, *ZOO])
def network(request: pytest.FixtureRequest) -> QuantNet:
    """After quantization-aware training of 3 steps, from statistics of a few batches."""
    torch.manual_seed(0)
    model = {**NETWORKS, **ZOO}[request.param](12)
    with torch.no_grad():
        for seed in range(5):
            model(clips(32, seed))
    quantized = ptq.quantize(torch_fx.trace(model.eval()), clips(32, 0), QuantSection(target="int8"))
    train_a_little(quantized, 0)
    return quantized.eval()


@pytest.fixture(scope="module")
def graph(network: QuantNet) -> Graph:
    return lowered(network)


@pytest.fixture(scope="module")
def features() -> np.ndarray:
    return as_int8(clips(COUNT, 9))


def test_every_layer_of_torch_equals_the_interpreter(network: QuantNet, graph: Graph) -> None:
    assert not differing(network, graph, clips(COUNT, 9))
    assert len(np.unique(graph.run(as_int8(clips(COUNT, 9))), axis=0)) > COUNT // 2


def test_c_equals_the_interpreter(graph: Graph, features: np.ndarray) -> None:
    try:
        compiled = graph.compile("c")
    except BoardError as error:
        pytest.skip(str(error))
    np.testing.assert_array_equal(compiled(features), graph.run(features))


def test_onnx_equals_the_interpreter(graph: Graph, features: np.ndarray) -> None:
    emitter = plugins.load("emitters", "onnx-integer")
    for run in emitter.executors(emitter.emit(graph)).values():
        np.testing.assert_array_equal(run(features), graph.run(features))


@pytest.mark.parametrize("name", BOARDS)
def test_emulated_boards_equal_the_interpreter(name: str, graph: Graph, features: np.ndarray) -> None:
    entry = board.load(name)
    for program in filter(None, (entry.compiler, entry.qemu_program)):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is missing: {tools.install_hint(program)}")
    with executor.executor(entry, graph, c.emit(graph), entry.transport, lambda *_: None) as run:
        np.testing.assert_array_equal(run(features[:8]), graph.run(features[:8]))
