"""TI's integer ONNX: every integer of the file, in each form that its tools write."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pytest

from edgekws.emit import onnx_tinpu as emitter
from edgekws.errors import ArtifactError, TargetError
from edgekws.features.spec import FeatureSpec, UnknownFeatures
from edgekws.graph import io
from edgekws.importers import Options, onnx_tinpu
from tests.graphs import random_dag
from tests.importers import ti_onnx
from tests.importers.ti_onnx import TiNet


def inputs(count, seed=5, shape=(49, 10)):
    """Noise around patterns of their own: means over white noise alone would all be alike."""
    rng = np.random.default_rng(seed)
    patterns = rng.integers(-128, 128, (count, 5, *shape[1:])).repeat(-(-shape[0] // 5), axis=1)[:, : shape[0]]
    drawn = np.clip(patterns + rng.integers(-40, 41, (count, *shape)), -128, 127)
    ends = [np.full(shape, value) for value in (-128, 127, 0)]
    return np.concatenate([drawn, ends]).astype(np.int8)


def differing(content, count=60, varied=True):
    files = {"ti.onnx": content}
    graph, features = onnx_tinpu.read(files), inputs(count)
    scores = graph.run(features)
    assert len(np.unique(scores, axis=0)) > len(scores) / 2 or not varied
    return [int((run(features) != scores).sum()) for run in onnx_tinpu.executors(files).values()]


@pytest.mark.parametrize("bits", [8, 4, 2])
@pytest.mark.parametrize("raw", [True, False], ids=["raw", "simplified"])
def test_the_keyword_spotter_of_ti_keeps_its_integers(raw, bits):
    assert differing(ti_onnx.ds_cnn(bits, raw, bits)) == [0, 0]


@pytest.mark.parametrize(
    "form", [{"merged": True}, {"scale": 0.25}, {"unsigned": True}], ids=lambda form: next(iter(form))
)
def test_other_forms_of_the_same_network(form):
    """Multiplier and shift in one factor, real numbers as scores, an input that is never negative."""
    assert differing(ti_onnx.ds_cnn(3, raw=False, bits=4, **form)) == [0, 0]


@pytest.mark.parametrize("raw", [True, False], ids=["raw", "simplified"])
def test_pools_and_additions(raw):
    assert differing(ti_onnx.pools(1, raw)) == [0, 0]


@pytest.mark.slow
def test_many_files_of_ti_keep_their_integers():
    for seed in range(60):
        raw, bits = bool(seed % 2), (8, 4, 2)[seed % 3]
        assert differing(ti_onnx.ds_cnn(seed, raw, bits, merged=not raw and seed % 4 == 0), 20, False) == [0, 0]


def test_what_the_graph_of_ti_says():
    graph = onnx_tinpu.read({"ti.onnx": ti_onnx.ds_cnn(0, raw=True, bits=4, scale=0.25)})
    assert graph.target == "tinpu" and graph.labels == tuple(f"class{number}" for number in range(5))
    assert graph.features == UnknownFeatures((49, 10)) and (graph.input_scale, graph.input_zero) == (2.0, 0)
    assert [node.op for node in graph.nodes][-2:] == ["global_sum_pool", "linear"] and graph.score_scale == 0.25
    assert {node.weight_bits for node in graph.nodes if node.weight is not None} == {4}
    assert graph.provenance["imported_from"] == "ti.onnx"
    assert graph.provenance["input_stage"] == "clip(floor(0.5 * x + 0.5), -128, 127), zero point 0"


def test_an_input_that_is_never_negative_has_a_zero_point():
    graph = onnx_tinpu.read({"ti.onnx": ti_onnx.ds_cnn(0, raw=False, unsigned=True)})
    assert graph.input_zero == graph.nodes[0].pad_value == -128


def test_our_own_file_gives_our_own_graph():
    for seed in range(8):
        graph = random_dag(seed)
        imported = onnx_tinpu.read(emitter.emit(graph))
        assert imported.provenance["imported_format"] == "onnx-tinpu"
        assert io.digest(replace(imported, provenance=graph.provenance)) == io.digest(graph)


@pytest.mark.slow
def test_two_hundred_of_our_own_files_keep_their_integers():
    for seed in range(200):
        graph, features = random_dag(seed), inputs(5, seed)
        assert (onnx_tinpu.read(emitter.emit(graph)).run(features) == graph.run(features)).all()


def test_without_its_metadata_our_own_file_has_the_same_integers():
    """The integers come from the tensors; labels and features from the metadata."""
    graph = next(graph for graph in map(random_dag, range(9)) if graph.nodes[0].op != "scale")
    model = onnx.load_from_string(emitter.emit(graph)[emitter.FILE])
    del model.metadata_props[:]
    imported = onnx_tinpu.read({"plain.onnx": model.SerializeToString()})
    features = inputs(20)
    assert (imported.run(features) == graph.run(features)).all() and imported.labels[0] == "class0"


def test_labels_and_features_can_be_given():
    labels = tuple("abcde")
    content = {"ti.onnx": ti_onnx.ds_cnn(0, raw=False)}
    graph = onnx_tinpu.read(content, Options(labels=labels, features=FeatureSpec(), name="spotter"))
    assert (graph.labels, graph.features, graph.name) == (labels, FeatureSpec(), "spotter")
    with pytest.raises(ArtifactError, match="5 labels"):
        onnx_tinpu.read(content, Options(labels=("yes", "no")))
    with pytest.raises(ArtifactError, match="the features' shape"):
        onnx_tinpu.read(content, Options(features=FeatureSpec(coefficients=12)))


def refused(net, last):
    with pytest.raises((TargetError, ArtifactError)) as error:
        onnx_tinpu.read({"ti.onnx": net.model(last, 4)})
    return str(error.value)


def test_nine_bits_are_refused_by_name():
    """A convolution without ReLU is clipped at -255..255 by TI's exporter, which no 8-bit tensor holds."""
    net = TiNet(0, raw=False)
    x = net.add("Conv", net.input_stage(), net.integers(127, 4, 1, 3, 3), kernel_shape=[3, 3])
    x = net.clip(net.add("Floor", net.add("Mul", x, net.floats(2.0**-6))), -255, 255)
    message = refused(net, net.linear(net.mean(x, 376, 4), 4, 4))
    assert "/conv" in message and "-255..255" in message


@pytest.mark.parametrize(
    ("factor", "offset", "reason"),
    [(257.0, 0.0, "multiplier 1..255"), (3.0, 0.5, "in integers"), (0.3, 0.0, "multiplier 1..255")],
)
def test_what_the_rule_of_the_npu_cannot_say_is_refused(factor, offset, reason):
    net = TiNet(0, raw=False)
    x = net.block(net.input_stage(), 1, 4, (3, 3))
    x = net.add("Add", net.add("Conv", x, net.integers(3, 4, 4, 1, 1)), net.floats(offset))
    x = net.clip(net.add("Floor", net.add("Mul", x, net.floats(factor))), 0, 255)
    assert reason in refused(net, net.linear(net.mean(x, 376, 4), 4, 4))


def test_dead_filters_and_negative_factors_keep_their_integers():
    net = TiNet(2, raw=False)
    weight = net.rng.integers(-9, 10, (4, 1, 3, 3)).astype(np.float32)
    weight[1] = 0
    x = net.add("Conv", net.input_stage(), net.floats(weight), kernel_shape=[3, 3])
    x = net.add("Add", x, net.floats(np.array([5, 900, -7, 11]).reshape(1, 4, 1, 1)))
    x = net.scaled(x, np.array([1, 1, -3, 0]).reshape(1, 4, 1, 1), np.array([4, 3, 6, 0]).reshape(1, 4, 1, 1), 0, 255)
    assert differing(net.model(net.linear(net.mean(x, 376, 4), 4, 4), 4)) == [0, 0]
