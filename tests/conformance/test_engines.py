"""Every engine gives the interpreter's integers, for any number of clips, and refuses foreign features."""

import numpy as np
import pytest

from edgekws import plugins
from edgekws.errors import ArtifactError, BoardError
from edgekws.graph import interp
from edgekws.graph.stream import definition
from tests.graphs import TARGETS, random_dag
from tests.streamable import valid_dscnn


@pytest.fixture(params=plugins.names("engines"))
def compiled(request):
    def compile_with(graph):
        try:
            return graph.compile(request.param)
        except BoardError as error:
            pytest.skip(str(error))

    return compile_with


@pytest.mark.parametrize("target", TARGETS)
def test_equals_the_interpreter(compiled, target):
    bits = plugins.load("targets", target).WEIGHT_BITS
    graph = random_dag(300, target, bits)
    features = np.random.default_rng(300).integers(-128, 128, (40, 49, 10)).astype(np.int8)
    assert np.array_equal(compiled(graph)(features), interp.run(graph, features))


@pytest.mark.parametrize("count", [0, 1, 17])
def test_any_number_of_clips(compiled, graph, random_features, count):
    scores = compiled(graph)(random_features(count))
    assert (scores.shape, scores.dtype) == ((count, 12), np.int8)


@pytest.mark.parametrize(
    "engine", [name for name in plugins.names("engines") if hasattr(plugins.load("engines", name), "stream")]
)
def test_a_stream_equals_its_definition(engine):
    graph = valid_dscnn(channels=8, blocks=1, rows=31)
    rows = np.random.default_rng(2).integers(-128, 128, (90, 10)).astype(np.int8)
    try:
        stream = graph.stream(engine)
    except BoardError as error:
        pytest.skip(str(error))
    scores = np.concatenate([stream.push(part) for part in np.split(rows, [1, 40])])
    assert np.array_equal(scores, definition.scores(graph, rows))
    with pytest.raises(ArtifactError, match="features should"):
        stream.push(rows[:, :9])


def test_refuses_features_of_another_kind(compiled, graph, random_features):
    with pytest.raises(ArtifactError, match="features should"):
        compiled(graph)(random_features(2)[:, :48])
