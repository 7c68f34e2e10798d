"""The calls of the library: any network goes from torch to files, and every wrong argument says what would be right."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import edgekws
from edgekws import plugins
from edgekws.errors import ArtifactError, ConfigError, DataError, TargetError
from edgekws.features.spec import FeatureSpec
from edgekws.graph import io
from tests.inference.sounds import sound, write

KINDS = tuple(name.replace("_", "-") for name in plugins.names("emitters") if name != "web")
"""Of any graph; a web page needs a front end."""


def network(channels=16, labels=12, seed=0):
    torch.manual_seed(seed)
    layers = [nn.Conv2d(1, channels, (8, 4), 2), nn.BatchNorm2d(channels), nn.ReLU(), nn.Conv2d(channels, channels, 1)]
    return nn.Sequential(*layers, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, labels)).eval()


def clips(count=32, frames=49, coefficients=10, seed=0):
    """int8 [n, frames, coefficients]"""
    return np.random.default_rng(seed).integers(-128, 128, (count, frames, coefficients)).astype(np.int8)


def real(features, scale=1 / 32):
    return torch.from_numpy(features)[:, None].float() * scale


def agrees(net, graph, features, scale=1 / 32):
    with torch.no_grad():
        scores = net(real(features, scale)).numpy() / graph.score_scale
    return np.array_equal(np.rint(scores), graph.run(features))


@pytest.mark.parametrize(("target", "bits"), [("tinpu", 8), ("tinpu", 4), ("tinpu", 2), ("int8", 8), ("int8", 4)])
def test_prepare_train_lower_run_emit(target, bits, tmp_path):
    net = edgekws.prepare(network(), target, bits, real(clips()), layers={"fc": 8})
    assert not net.training  # until told otherwise it is the integers
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-2)
    net.train()
    for step in range(3):
        net.before_step(step / 3)
        optimizer.zero_grad()
        functional.cross_entropy(net(real(clips(16))), torch.arange(16) % 12).backward()
        optimizer.step()
        net.after_step()
    net.eval()
    graph = edgekws.lower(net, [f"word{number}" for number in range(12)], name="mine")
    assert agrees(net, graph, clips(64, seed=1))
    assert {node.name: node.weight_bits for node in graph.nodes if node.weight is not None} == {
        "conv1": bits,
        "pw1": bits,
        "fc": 8,
    }
    io.save(graph, tmp_path / "graph.npz")
    assert io.to_bytes(edgekws.load(str(tmp_path / "graph.npz"))) == io.to_bytes(graph)
    for kind in KINDS if target == "tinpu" else ("onnx-qdq", "c"):
        assert all(edgekws.export(graph, kind).values())


def test_all_ways_to_give_the_calibration_are_one():
    ints = clips()
    ways = [real(ints), real(ints).numpy(), real(ints).double(), real(ints).numpy().astype(np.float64), ints]
    ways += [torch.from_numpy(ints), ints[:, None]]
    graphs = [edgekws.lower(edgekws.prepare(network(), calibration=way, method="ptq")) for way in ways]
    assert len({io.to_bytes(graph) for graph in graphs}) == 1
    assert graphs[0].labels[:2] == ("class0", "class1")


def test_other_frames_and_coefficients():
    features = clips(32, 61, 16)
    net = edgekws.prepare(network(labels=5), calibration=features)
    graph = edgekws.lower(net, ("a", "b", "c", "d", "e"))
    assert graph.in_shape == (61, 16, 1) and agrees(net, graph, features)
    own = FeatureSpec(coefficients=12, input_scale=(0.5,) * 12, input_zero_point=(0,) * 12)
    assert edgekws.lower(edgekws.prepare(network(), calibration=clips(8, 49, 12), features=own)).features == own


@pytest.mark.parametrize("scale", [0.0371, 1.0, 1 / 127])
def test_inputs_of_another_unit(scale):
    """A network trained on values of any size: its own unit goes into the first layer's weights."""
    features, model = clips(48), network()
    net = edgekws.prepare(model, calibration=real(features, scale), input_scale=scale, method="ptq")
    graph = edgekws.lower(net)
    assert graph.input_scale == scale and agrees(net, graph, features, scale)
    with torch.no_grad():
        expected, computed = model(real(features, scale)), net(real(features, scale))
    assert (expected - computed).abs().mean() < 0.1 * expected.std()


def test_what_leaves_the_range_of_int8_is_clipped_as_on_the_device():
    net = edgekws.prepare(network(), calibration=clips())
    with torch.no_grad():
        assert torch.equal(net(torch.full((1, 1, 49, 10), 99.0)), net(torch.full((1, 1, 49, 10), 127 / 32)))


def test_gains_of_any_size_and_sign_on_fixed_point_targets():
    """Multipliers below 1 cannot express them: they become weights."""
    model = nn.Sequential(nn.BatchNorm2d(1), *network(), nn.Identity()).eval()
    with torch.no_grad():
        model[0].weight.fill_(-3.0)
        model[0].running_mean.fill_(0.5)
    net = edgekws.prepare(model, "int8", calibration=clips(), method="ptq")
    assert agrees(net, edgekws.lower(net), clips(seed=3))
    with torch.no_grad():
        expected, computed = model(real(clips())), net(real(clips()))
    assert (expected - computed).abs().mean() < 0.1 * expected.std()


def test_the_model_is_left_as_it_was():
    model = network().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    edgekws.prepare(model, calibration=clips())
    assert model.training and all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_a_prepared_network_is_saved_as_any_other(tmp_path):
    net, other = (edgekws.prepare(network(seed=seed), bits=4, calibration=clips()) for seed in (0, 0))
    with torch.no_grad():
        for value in net.parameters():
            value.mul_(1.01)
    torch.save(net.state_dict(), tmp_path / "net.pt")
    other.load_state_dict(torch.load(tmp_path / "net.pt", weights_only=True))
    assert io.to_bytes(edgekws.lower(net)) == io.to_bytes(edgekws.lower(other))


class InPlace(nn.Module):
    """Tracing sees `kept` before the addition; torch changes it."""

    def __init__(self):
        super().__init__()
        self.body, self.point = network()[:3], nn.Conv2d(16, 16, 1)
        self.head = network()[5:]

    def forward(self, x):
        x = self.body(x)
        kept = x
        x += self.point(x)
        return self.head(x + kept)


WRONG = {
    "no calibration": ({"calibration": None}, ConfigError, "calibration should be given.*scale of each layer"),
    "a list of words": ({"calibration": ["yes"]}, DataError, "calibration should be float"),
    "ints": ({"calibration": clips().astype(np.int32)}, DataError, "calibration should be float.*Got: torch.int32"),
    "no channel": ({"calibration": real(clips())[:, 0]}, DataError, r"shape \[32, 49, 10\]"),
    "two channels": ({"calibration": real(clips()).repeat(1, 2, 1, 1)}, DataError, r"shape \[32, 2, 49, 10\]"),
    "no clip": ({"calibration": clips()[:0]}, DataError, r"shape \[0, 1, 49, 10\]"),
    "one clip alone": ({"calibration": clips()[0]}, DataError, r"shape \[49, 10\]"),
    "nan": ({"calibration": real(clips()) + torch.tensor(float("nan"))}, DataError, "NaN or infinity in 32 of 32"),
    "infinite": ({"calibration": real(clips()) / 0}, DataError, "NaN or infinity"),
    "another unit": (
        {"calibration": real(clips(), 1.0)},
        DataError,
        "97% of the values outside.*give input_scale=1.008",
    ),
    "too short": ({"calibration": clips(8, 5, 3)}, DataError, "the network should take the calibration"),
    "unit of zero": ({"input_scale": 0.0}, ConfigError, "input_scale should be a positive number"),
    "features": ({"features": FeatureSpec(coefficients=12)}, ConfigError, r"features of \(49, 12\) should fit"),
    "bits": ({"bits": 3}, ConfigError, "^bits should be 8, 4 or 2. Got: 3"),
    "2 bits on a CPU": ({"bits": 2, "target": "int8"}, ConfigError, "int8 has weights of 8, 4 bits"),
    "target": ({"target": "tpu"}, ConfigError, "target tpu is not known; did you mean tinpu.*: int8, tinpu"),
    "layer": (
        {"layers": {"conv9": 8}},
        ConfigError,
        "layer conv9 is not known; did you mean conv1. There are: conv1,",
    ),
    "width of a layer": ({"layers": {"conv1": 5}}, ConfigError, "^layers conv1 should be 8, 4 or 2. Got: 5"),
    "option": ({"epochs": 3}, ConfigError, "the option of prepare epochs is not known. There are: "),
    "value": ({"method": "magic"}, ConfigError, "^method magic is not known. There are: ptq, qat"),
    "no model": ({"model": [1]}, ConfigError, "model should be a float torch.nn.Module or the path.*Got: list"),
    "no file": (
        {"model": "missing.onnx"},
        ArtifactError,
        "no file missing.onnx; a float ONNX file is expected",
    ),
    "in place": (
        {"model": InPlace()},
        TargetError,
        "give the scores of the network.*without operations in place",
    ),
}


@pytest.mark.filterwarnings("ignore:overflow")
@pytest.mark.parametrize(("changes", "error", "message"), WRONG.values(), ids=WRONG)
def test_wrong_arguments_say_what_would_be_right(changes, error, message):
    with pytest.raises(error, match=message):
        edgekws.prepare(**{"model": network(), "calibration": clips(), **changes})


def test_lower_and_emit_say_what_they_take():
    net = edgekws.prepare(network(), calibration=clips())
    with pytest.raises(ConfigError, match=r"lower takes the result of prepare. Got: Sequential"):
        edgekws.lower(network())
    with pytest.raises(ConfigError, match="model should be a float torch"):
        edgekws.prepare(net, calibration=clips())
    for labels in (("yes",), "twelve chars"):
        with pytest.raises(ConfigError, match="labels should be 12 names"):
            edgekws.lower(net, labels)
    with pytest.raises(ConfigError, match="labels should be texts"):
        edgekws.lower(net, list(range(12)))  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"each label should be there once\. Got: yes twice"):
        edgekws.lower(net, ["yes", "yes", *map(str, range(10))])
    with pytest.raises(ConfigError, match="features should have the shape of the calibration"):
        edgekws.lower(net, features=FeatureSpec(coefficients=12))
    with pytest.raises(
        ConfigError, match=r"--format elf is not known.*There are: c, onnx-integer, onnx-qdq, onnx-tinpu, tflite"
    ):
        edgekws.export(edgekws.lower(net), "elf")
    with pytest.raises(ArtifactError, match=r"no file missing.npz; an edgekws graph is expected"):
        edgekws.load("missing.npz")


def test_predict_takes_a_graph_or_a_path_and_a_file_or_samples(tmp_path):
    path = write(tmp_path / "a.wav")
    graph = edgekws.load("dscnn")
    answer = edgekws.predict(graph, path, on="interp")
    assert answer.label in graph.labels and answer.file == str(path) and len(answer.windows) == 1
    assert answer.probability == max(answer.probabilities.values())
    for model, recording, rate in (("dscnn", sound(), 16_000), (graph, sound() / 32_768, 16_000)):
        assert edgekws.predict(model, recording, rate, on="interp").probabilities == answer.probabilities
    assert edgekws.predict(graph, path, on="interp", threshold=1.0).word is None
    with pytest.raises(ConfigError, match="rate_hz should be given with samples"):
        edgekws.predict(graph, sound())
    with pytest.raises(DataError, match="int16 or float"):
        edgekws.predict(graph, np.zeros((2, 16_000), np.int16), 16_000)


def test_layers_for_the_cpu_are_refused_unless_strict_is_off():
    """Before the training: nothing that it changes makes them legal."""
    rule = r"conv1 should be legal on tinpu.*channels: multiples of 4, not 18.*strict=False"
    with pytest.raises(TargetError, match=rule):
        edgekws.prepare(network(channels=18), calibration=clips())
    net = edgekws.prepare(network(channels=18), calibration=clips(), strict=False)
    assert agrees(net, edgekws.lower(net), clips(seed=2))
    with pytest.raises(TargetError, match=rule):
        edgekws.lower(net, strict=True)


def test_emitters_remain_a_package():
    from edgekws.emit import onnx_tinpu

    graph = edgekws.load(Path(__file__).resolve().parents[1] / "models" / "dscnn" / "graph.npz")
    assert edgekws.export(graph, "onnx-tinpu") == onnx_tinpu.emit(graph)


def test_importing_is_light_and_names_are_found():
    code = (
        "import sys, edgekws; edgekws.load, edgekws.export; assert 'torch' not in sys.modules; print(edgekws.QuantNet)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "QuantNet" in done.stdout, done.stderr
    assert {"prepare", "lower", "export", "load", "predict", "Graph", "FeatureSpec", "QuantNet"} <= set(dir(edgekws))
    with pytest.raises(AttributeError, match="no attribute 'missing'"):
        _ = edgekws.missing
