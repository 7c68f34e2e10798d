"""Every emitter that has executors: the same integers as the interpreter, the same bytes twice, no foreign files."""

from dataclasses import replace

import numpy as np
import pytest

from edgekws import pipeline, plugins
from edgekws.errors import ArtifactError, ParityError, TargetError
from edgekws.graph import interp
from edgekws.graph.ir import Node, Requant
from tests.graphs import TARGETS, random_dag

EMITTERS = [name for name in plugins.names("emitters") if hasattr(plugins.load("emitters", name), "executors")]
REAL_SCALES = (0.0235, 0.0611, 0.0472, 0.0483, 0.207)


@pytest.fixture(params=EMITTERS)
def emitter(request):
    return plugins.load("emitters", request.param)


@pytest.fixture
def name(emitter):
    return emitter.__name__.rpartition(".")[2]


def with_real_scales(graph):
    nodes = tuple(replace(node, out_scale=s) for node, s in zip(graph.nodes, REAL_SCALES, strict=True))
    return replace(graph, nodes=nodes, input_scale=0.0371)


def parity(emitter, name, graph, emitted, features):
    """Every runtime of the artifact of `emitted` against the interpreter on `graph`."""
    executors = emitter.executors(emitter.emit(emitted))
    expected = interp.run(graph, features)
    assert executors
    return [pipeline.compare(name, runtime, run, features, expected) for runtime, run in executors.items()]


def extremes():
    return np.stack([np.full((49, 10), value, np.int8) for value in (-128, 127, 0)])


def refused(emitter, graph):
    """The reason, where the emitter does not express the rule of this graph."""
    if emitter.__name__.endswith("onnx_tinpu") and plugins.load("targets", graph.target).RULE == "fixed-point":
        with pytest.raises(TargetError, match="fixed-point"):
            emitter.emit(graph)
        return True
    return False


@pytest.mark.parametrize("target", TARGETS)
def test_graphs_with_branches_of_all_widths(emitter, name, target):
    """Exact, or counted under a name that says so; refused only for the other rule."""
    exact = 0
    for seed in range(100, 108):
        graph = random_dag(seed, target, plugins.load("targets", target).WEIGHT_BITS)
        if refused(emitter, graph):
            continue
        features = np.concatenate([some_features(seed), extremes()])
        results = parity(emitter, name, graph, graph, features)
        pipeline.require_parity(results)
        exact += sum(result.differences == 0 for result in results)
    if target == "tinpu" and name.startswith("onnx"):
        assert exact == 16  # two runtimes


def some_features(seed, count=5):
    return np.random.default_rng(seed).integers(-128, 128, (count, 49, 10)).astype(np.int8)


@pytest.mark.parametrize("target", TARGETS)
def test_other_front_ends(emitter, target):
    """Executors take the shape of the features from the file."""
    graph = random_dag(7, target, plugins.load("targets", target).WEIGHT_BITS)
    inputs = {"input_scale": (0.5,) * 6, "input_zero_point": (83,) * 6}
    features = replace(graph.features, hop_samples=640, coefficients=6, **inputs)
    first = graph.nodes[0]
    assert features.shape == (25, 6)
    requant = Requant.identity(12, -128, 127)
    weight = np.random.default_rng(0).integers(-1, 2, (12, 150)).astype(np.int8)
    weight[:, 3:] = 0
    only = Node("fc", "linear", first.inputs, requant, (25, 6, 1), (1, 1, 12), weight)
    graph = replace(graph, nodes=(only,), features=features)
    clips = np.random.default_rng(1).integers(-128, 128, (9, 25, 6)).astype(np.int8)
    for runtime, run in emitter.executors(emitter.emit(graph)).items():
        assert np.array_equal(run(clips), interp.run(graph, clips)), runtime


@pytest.mark.parametrize("weight_limit", [63, 127])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_equals_the_interpreter(emitter, name, graph_factory, random_features, seed, weight_limit):
    graph = graph_factory(seed, weight_limit)
    if seed % 2:
        graph = with_real_scales(graph)
    features = np.concatenate([random_features(200, seed), extremes()])
    results = parity(emitter, name, graph, graph, features)
    pipeline.require_parity(results)
    if weight_limit == 63:
        assert all(result.differences == 0 for result in results)


def test_the_scores_vary_enough_to_tell_executors_apart(graph, random_features):
    """The comparison above could not fail if the scores hardly moved."""
    scores = interp.run(graph, random_features(200))
    assert len(np.unique(scores)) > 50
    assert (scores.std(axis=0) > 1).sum() >= 8


def test_a_difference_is_reported(emitter, name, graph, random_features):
    requant = graph.nodes[-1].requant
    other = with_last_requant(graph, offset=requant.offset + (1 << requant.shift.astype(np.int32)))
    results = parity(emitter, name, graph, other, random_features(8))
    assert all(result.differences for result in results)
    with pytest.raises(ParityError, match=f"{name} in "):
        pipeline.require_parity(results)


def test_same_graph_same_bytes(emitter, graph_factory):
    graph = random_dag(5)
    assert emitter.emit(graph) == emitter.emit(random_dag(5))
    assert emitter.emit(graph_factory(3)) == emitter.emit(graph_factory(3))
    assert emitter.emit(graph_factory(3)) != emitter.emit(graph_factory(4))


def test_says_how_it_rounds(emitter):
    assert len(emitter.NOTE.split()) > 5
    assert "\n" not in emitter.NOTE


@pytest.mark.parametrize("count", [0, 1, 300])
def test_any_number_of_clips(emitter, graph, random_features, count):
    features = random_features(count)
    for run in emitter.executors(emitter.emit(graph)).values():
        scores = run(features)
        assert scores.dtype == np.int8
        assert scores.shape == (count, 12)


def test_refuses_features_of_another_kind(emitter, graph, random_features):
    run = next(iter(emitter.executors(emitter.emit(graph)).values()))
    with pytest.raises(ArtifactError, match="features should"):
        run(random_features(2)[:, :48])
    with pytest.raises(ArtifactError, match="features should"):
        run(random_features(2).astype(np.float32) + 0.5)


def with_last_requant(graph, **changes):
    last = graph.nodes[-1]
    return replace(graph, nodes=(*graph.nodes[:-1], replace(last, requant=replace(last.requant, **changes))))


def test_refuses_scores_that_int8_cannot_hold(emitter, graph):
    with pytest.raises(TargetError, match=r"fc: scores should be -128\.\.127"):
        emitter.emit(with_last_requant(graph, lo=0, hi=255))


def test_refuses_an_accumulator_that_may_overflow(emitter, graph):
    with pytest.raises(TargetError, match=r"fc: .*32 bits"):
        emitter.emit(with_last_requant(graph, offset=np.full(12, (1 << 31) - 1, np.int32)))
