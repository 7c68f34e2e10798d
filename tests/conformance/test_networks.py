"""Every network lowers to a graph that each target takes, and the compiled C gives the interpreter's integers."""

import numpy as np
import pytest
import torch

import edgekws
from edgekws import plugins, targets
from edgekws.errors import BoardError
from edgekws.graph.stream import definition

LABELS = [f"word{number}" for number in range(12)]


@pytest.fixture(params=plugins.names("networks"))
def network(request):
    torch.manual_seed(0)
    return plugins.load("networks", request.param).build(len(LABELS)).eval()


@pytest.fixture
def features():
    return np.random.default_rng(1).integers(-128, 128, (24, 49, 10)).astype(np.int8)


@pytest.mark.parametrize("target", plugins.names("targets"))
def test_lowers_to_a_legal_graph_whose_c_equals_the_interpreter(network, features, target):
    prepared = edgekws.prepare(network, target=target, calibration=features, method="ptq")
    graph = edgekws.lower(prepared, LABELS)
    assert graph.target == target
    assert targets.problems(graph, targets.load(target)[0]) == ()
    expected = graph.run(features)
    assert expected.shape == (24, 12) and len(np.unique(expected)) > 5
    try:
        compiled = graph.compile("c")
    except BoardError as error:
        pytest.skip(str(error))
    assert np.array_equal(compiled(features), expected)


@pytest.mark.parametrize("name", plugins.names("networks"))
def test_gives_one_score_a_label(name):
    with torch.no_grad():
        assert plugins.load("networks", name).build(3).eval()(torch.zeros(2, 1, 49, 10)).shape == (2, 3)


STREAMED = {"dscnn": 74, "dsresnet": 116, "tcresnet": 122}
"""Networks with the option `stream`, and the rows of a clip that give the pool 25."""


@pytest.mark.parametrize("name", STREAMED)
def test_without_padding_in_time_a_stream_of_one_clip_has_its_scores(name):
    torch.manual_seed(0)
    network = plugins.load("networks", name).build(len(LABELS), stream=True).eval()
    rows = np.random.default_rng(1).integers(-128, 128, (4, STREAMED[name], 10)).astype(np.int8)
    prepared = edgekws.prepare(network, target="tinpu", calibration=rows, method="ptq")
    graph = edgekws.lower(prepared, LABELS)
    assert targets.problems(graph, targets.load("tinpu")[0]) == ()
    for clip, expected in zip(rows, graph.run(rows), strict=True):
        assert np.array_equal(definition.scores(graph, clip)[-1], expected)
