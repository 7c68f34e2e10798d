"""Mixed precision: the search is exact, sensitivities point the right way, and the command keeps its budget."""

import itertools
import json
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from edgekws import pipeline, recipe, targets
from edgekws.cli.line import quantize as command
from edgekws.errors import ConfigError, DataError
from edgekws.features.spec import INPUT_SCALE, FeatureSpec
from edgekws.graph import io
from edgekws.nets import dscnn, dsresnet
from edgekws.quant import lower, mixed, ptq
from edgekws.quant.frontends import torch_fx
from edgekws.quant.mixed import budget as budgets
from edgekws.quant.mixed.front import Option, Point, best_within, cheapest_satisfying, pareto_front, thinned
from edgekws.quant.mixed.options import layer_options, without_weights
from edgekws.quant.mixed.sensitivity import Sensitivity
from edgekws.quant.network import QuantNet
from edgekws.recipe import QuantSection
from edgekws.training.scoring import Score

START = Point((), 10, 100, 0.5)
LABELS = tuple(f"word{i}" for i in range(12))

a_layer = st.lists(
    st.builds(Option, st.sampled_from([8, 4, 2]), st.integers(0, 9), st.integers(0, 9), st.integers(0, 9)),
    min_size=1,
    max_size=3,
)


def every_network(layers):
    for chosen in itertools.product(*layers):
        point = START
        for option in chosen:
            point = point.extended(option)
        yield point


@given(st.lists(a_layer, min_size=1, max_size=6), st.sampled_from(["flash_bytes", "cycles"]))
def test_the_front_is_that_of_all_networks(layers, cost):
    """Errors are whole numbers here, so that sums are the same in every order."""
    everything = [(point.costs(cost), point.error) for point in every_network(layers)]
    expected = {
        (price, error)
        for price, error in everything
        if not any(p <= price and e <= error and (p, e) != (price, error) for p, e in everything)
    }
    front = pareto_front(START, layers, cost)
    assert [(p.costs(cost), p.error) for p in front] == sorted(expected)
    assert {(p.bits, p.costs(cost), p.error) for p in front} <= {
        (p.bits, p.costs(cost), p.error) for p in every_network(layers)
    }


@given(st.lists(a_layer, min_size=1, max_size=5), st.integers(0, 80))
def test_the_best_within_a_limit_is_that_of_all_networks(layers, limit):
    affordable = [point.error for point in every_network(layers) if point.flash_bytes <= limit]
    result = best_within(pareto_front(START, layers, "flash_bytes"), "flash_bytes", limit)
    assert (result.error if result else None) == min(affordable, default=None)
    assert result is None or result.flash_bytes <= limit


def test_of_networks_with_equal_cost_and_error_the_smaller_is_kept():
    layer = [Option(8, 20, 5, 0.0), Option(4, 10, 5, 0.0)]
    assert [point.bits for point in pareto_front(START, [layer, layer], "cycles")] == [(4, 4)]


@given(st.integers(1, 200), st.integers(0, 200), st.integers(2, 40))
def test_bisection_finds_the_first_good_point_in_few_trials(count, first, most):
    front = thinned([Point((8,), number, 0, 0.0) for number in range(count)], most)
    assert front[0].flash_bytes == 0 and front[-1].flash_bytes == count - 1 and len(front) == min(count, most)
    evaluated = []
    result = cheapest_satisfying(front, lambda point: evaluated.append(point) or point.flash_bytes >= first)
    good = [point for point in front if point.flash_bytes >= first]
    assert result == (good[0] if good else None)
    assert len(evaluated) <= len(front).bit_length()


@pytest.mark.parametrize(
    ("text", "kind", "limit"),
    [
        ("flash=24kB", "flash", 24_000),
        ("flash=16 KiB", "flash", 16_384),
        ("flash=900B", "flash", 900),
        ("flash=.5MB", "flash", 500_000),
        ("latency=2.5ms", "latency", 2.5e-3),
        ("latency=300us", "latency", 3e-4),
        ("drop=0.5", "drop", 0.5),
    ],
)
def test_budgets_are_parsed(text, kind, limit):
    result = budgets.parse(text)
    assert result.kind == kind and result.limit == pytest.approx(limit) and result.text == text


@pytest.mark.parametrize(
    "text", ["24kB", "flash=24", "flash=24kb", "flash=-1B", "latency=2kB", "drop=1B", "flash=", "ram=2kB", "flash=1e3B"]
)
def test_other_budgets_are_refused_with_examples(text):
    with pytest.raises(ConfigError, match=r"flash in B, kB, KiB, .*latency in s, ms, us.*flash=24kB"):
        budgets.parse(text)


@given(st.floats(0, 1e7), st.sampled_from(["flash", "drop"]))
def test_the_budget_that_a_refusal_suggests_is_accepted(value, kind):
    assert budgets.parse(f"{kind}={budgets.format_limit(kind, value)}").limit >= value - 1e-5


def trained_like(seed, net=dscnn):
    torch.manual_seed(seed)
    network = net.build(12, 16, 2)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 2.0)
            nn.init.normal_(module.bias, 0, 0.3)
    network.train()
    with torch.no_grad():
        for _ in range(20):
            network(clips(64, seed))
    return network.eval()


def clips(count, seed):
    ints = torch.randint(-128, 128, (count, 1, 49, 10), generator=torch.Generator().manual_seed(seed))
    return ints.float() * INPUT_SCALE


def at_each_width(network, x, target="tinpu", **plan):
    layers, rules = torch_fx.trace(network), targets.load(target)[0]
    sections = {b: QuantSection(target=target, method="ptq", weight_bits=b, **plan) for b in rules.WEIGHT_BITS}
    return {bits: ptq.quantize(layers, x, section) for bits, section in sections.items()}


def divergence(result, expected):
    p, q = torch.log_softmax(expected.double(), 1), torch.log_softmax(result.double(), 1)
    return float((p.exp() * (p - q)).sum(1).mean())


@pytest.mark.parametrize("net", [dscnn, dsresnet])
def test_the_error_of_a_layer_is_that_of_a_network_with_this_layer(net):
    """Without bias correction nothing but the layer changes, so that the mixed network can be assembled here."""
    real, x = trained_like(3, net), clips(96, 4)
    networks = at_each_width(real, x, correct_bias=False)
    result = Sensitivity(networks, x, correct_bias=False)
    with torch.no_grad():
        expected = real(x)
        assert result.base == pytest.approx(divergence(networks[8](x), expected), rel=1e-3)
        for number, bits in ((0, 4), (2, 2), (len(list(networks[8])) - 1, 2)):
            layers = list(networks[8])
            layers[number] = list(networks[bits])[number]
            assert layers[number].bits == bits
            error = divergence(QuantNet(layers, "tinpu")(x), expected)
            added = result.added(layers[number].name, bits)
            assert added == pytest.approx(max(0.0, error - result.base), rel=1e-2, abs=1e-5)


def test_narrower_layers_add_more_error_and_the_widest_none():
    networks = at_each_width(trained_like(5), clips(96, 6))
    result = Sensitivity(networks, clips(96, 6), correct_bias=True)
    for name in ("conv1", "pw1", "dw2"):
        assert result.added(name, 8) == 0
        assert result.added(name, 2) > result.added(name, 4)
    again = Sensitivity(at_each_width(trained_like(5), clips(96, 6)), clips(96, 6), correct_bias=True)
    assert [again.added("pw1", 2), again.base] == [result.added("pw1", 2), result.base]


@pytest.fixture(scope="module")
def graphs():
    networks = at_each_width(trained_like(7), clips(32, 8))
    return {bits: lower.lower(q, FeatureSpec(), LABELS, "x", strict=False) for bits, q in networks.items()}


@settings(max_examples=10)
@given(st.data())
def test_costs_of_options_add_up_to_those_of_the_graph(graphs, data):
    target, device = targets.load("tinpu")
    options = layer_options(graphs, target, device, lambda name, bits: 0.0, {})
    point = without_weights(graphs[8], target, device, 0.0)
    bits = {name: data.draw(st.sampled_from(row)) for name, row in options.items()}
    for option in bits.values():
        point = point.extended(option)
    nodes = [graphs[bits[n.name].bits if n.name in bits else 8].node(n.name) for n in graphs[8].nodes]
    assert point.flash_bytes == replace(graphs[8], nodes=tuple(nodes)).parameter_bytes
    assert point.cycles >= sum(target.cycles(node, device) for node in nodes) > point.cycles - len(nodes)


def test_widths_that_the_target_does_not_take_and_pinned_ones_are_no_options(graphs):
    class Restricted:
        """The NPU, without 2-bit pw1 and without the last layer at any width."""

        NAME = "restricted"

        @staticmethod
        def legal(node):
            return "no" if node.name == "fc" or (node.name, node.weight_bits) == ("pw1", 2) else None

        @staticmethod
        def cycles(node, device):
            return 1.0

    device = targets.load("tinpu")[1]
    options = layer_options(graphs, Restricted, device, lambda name, bits: 0.0, {"dw1": 4})
    widths = {name: [option.bits for option in row] for name, row in options.items()}
    assert widths["pw1"] == [8, 4] and widths["dw1"] == [4] and widths["fc"] == [8, 4, 2] == widths["conv1"]
    with pytest.raises(ConfigError, match="restricted has weights of 8, 4, 2 bits"):
        layer_options(graphs, Restricted, device, lambda name, bits: 0.0, {"dw1": 3})


TINY = recipe.Recipe(
    name="tiny",
    net={"name": "dscnn", "options": {"channels": 16, "blocks": 1, "dropout": 0.0}},
    train={"epochs": 3, "batch": 64},
    quant={"method": "ptq", "calibration_clips": 64},
)


def quiet(*_):
    pass


@pytest.fixture(scope="module")
def trained(prepared, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    pipeline.train(TINY, prepared, folder, quiet)
    (folder / "recipe.toml").write_text(
        'name = "tiny"\n[net]\nname = "dscnn"\noptions = { channels = 16, blocks = 1, dropout = 0.0 }\n'
        '[train]\nepochs = 3\nbatch = 64\n[quant]\nmethod = "ptq"\ncalibration_clips = 64\n'
    )
    return folder


def searched(trained, data, text, out, device="", **pinned):
    loaded = pipeline.load_trained(trained / "float" / "best.safetensors", TINY)
    return pipeline.search(loaded, data, budgets.parse(text), out, quiet, device, pinned)


def quantized(trained, prepared, *arguments):
    """Run the command in this process: (graph, what it printed is on stdout)."""
    from edgekws.cli import app

    options = ["--recipe", trained / "recipe.toml", "--data", prepared.folder, "--out", trained]
    app(args=["quantize", *map(str, options), *arguments], standalone_mode=False)
    return io.load(trained / "graph.npz")


def widths(graph):
    return {node.name: node.weight_bits for node in graph.nodes if node.weight is not None}


def test_a_flash_budget_is_kept_by_the_graph_and_written_down(trained, prepared, capsys):
    smallest = searched(trained, prepared, "flash=1MB", trained).front[0].flash_bytes
    graph = quantized(trained, prepared, "--budget", f"flash={smallest + 100}B", "--layer", "dw1=8")
    assert smallest < graph.parameter_bytes <= smallest + 100 and graph.node("dw1").weight_bits == 8
    printed = capsys.readouterr().out
    block = "\n".join(["[quant.layers]", *(f'"{name}" = {bits}' for name, bits in widths(graph).items())])
    assert block in printed and "layer by layer: conv1 dw1 pw1 fc" in printed
    document = json.loads((trained / "mixed.json").read_text())
    assert (document["kind"], document["version"]) == (mixed.KIND, mixed.VERSION)
    assert document["chosen"] == widths(graph) and document["layers"] == list(widths(graph))
    (row,) = [row for row in document["measured"] if row["bits"] == list(widths(graph).values())]
    scores = pipeline.read_scores(trained / "quantize.json")
    assert row["accuracy"] == pytest.approx(scores["scores"]["validation"]["graph"]["accuracy"])
    assert row["flash_bytes"] == graph.parameter_bytes and scores["recipe"]["quant"]["layers"] == widths(graph)
    picture = (trained / "pareto.svg").read_text()
    assert picture.startswith("<?xml") and "<!-- weights and requantization parameters, kB -->" in picture


def test_the_same_search_gives_the_same_bytes(trained, prepared, tmp_path):
    for name in ("a", "b"):
        searched(trained, prepared, "flash=3kB", tmp_path / name)
    for file in ("mixed.json", "pareto.svg"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_a_drop_is_measured_and_the_cheapest_network_within_it_is_chosen(trained, prepared, tmp_path):
    result = searched(trained, prepared, "drop=5", tmp_path)

    def within_budget(point):
        score, real = result.scores[point.bits], result.float_score
        gaps = real.accuracy - score.accuracy, real.balanced_accuracy - score.balanced_accuracy
        return max(gaps) <= 0.05 + 1e-6

    measured = [point for point in result.candidates if point.bits in result.scores]
    assert within_budget(result.chosen) and len(measured) > 1
    assert not any(within_budget(point) for point in measured if point.flash_bytes < result.chosen.flash_bytes)
    anything = searched(trained, prepared, "drop=100", tmp_path)
    assert anything.chosen == anything.front[0] and set(anything.bits.values()) == {2}


@pytest.mark.parametrize("budget", ["flash=100B", "latency=1us"])
def test_an_impossible_budget_is_refused_with_the_smallest_one_which_is_possible(trained, prepared, tmp_path, budget):
    kind = budget.split("=", maxsplit=1)[0]
    with pytest.raises(ConfigError, match=rf"{kind}=[\d.]+(B|us|ms)\. Got: {budget}") as refused:
        searched(trained, prepared, budget, tmp_path)
    assert not (tmp_path / "mixed.json").exists()
    smallest = str(refused.value).split("at least ")[1].split(". Got")[0]
    result = searched(trained, prepared, smallest, tmp_path)
    assert result.chosen == result.front[0]


def test_an_impossible_drop_says_what_was_reached(trained, prepared, tmp_path, monkeypatch):
    good, bad = Score(0.9, 0.8, 1.0), Score(0.8, 0.3, 1.0)  # over all clips ten points are lost, as mean of classes 50
    monkeypatch.setattr(mixed._Trial, "_score", lambda self, network: bad if isinstance(network, QuantNet) else good)
    with pytest.raises(ConfigError, match=r"at least drop=50\.000\. Got: drop=49\.9\. .*mean of classes"):
        searched(trained, prepared, "drop=49.9", tmp_path)
    result = searched(trained, prepared, "drop=50.000", tmp_path)
    assert result.chosen == result.front[0]


def test_another_target_is_searched_with_its_own_widths(trained, prepared, tmp_path):
    loaded = pipeline.load_trained(trained / "float" / "best.safetensors", TINY)
    other = recipe.changed(TINY, quant={"method": "ptq", "calibration_clips": 64, "target": "int8"})
    result = pipeline.search(
        replace(loaded, recipe=other), prepared, budgets.parse("flash=1MB"), tmp_path, quiet, "cortex-m", {}
    )
    assert {option.bits for row in result.options.values() for option in row} == {8, 4}
    assert result.device == "cortex-m" and result.latency(result.chosen) > 0


def test_other_labels_and_unknown_devices_and_layers_are_refused_before_the_search(trained, prepared, tmp_path):
    with pytest.raises(DataError, match="_silence_"):
        searched(trained, replace(prepared, labels=tuple(reversed(prepared.labels))), "flash=3kB", tmp_path)
    with pytest.raises(ConfigError, match="mspm0g5187"):
        searched(trained, prepared, "latency=9ms", tmp_path, device="unknown")
    with pytest.raises(ConfigError, match="conv1, dw1, fc, pw1"):
        searched(trained, prepared, "flash=3kB", tmp_path, dw7=8)


def test_widths_of_the_command_line_replace_those_of_the_recipe(trained, prepared):
    graph = quantized(trained, prepared, "--bits", "4", "--layer", "dw*=8", "--layer", "f?=2")
    assert widths(graph) == {"conv1": 4, "dw1": 8, "pw1": 4, "fc": 2}


def test_how_options_and_recipe_come_together():
    given_widths = recipe.changed(TINY, quant={"weight_bits": 8, "layers": {"dw*": 4, "fc": 4}})
    assert command._with_widths(given_widths, None, {}) == given_widths
    both = command._with_widths(given_widths, None, {"dw*": 2, "pw1": 4}).quant
    assert both.weight_bits == 8 and list(both.layers.items()) == [("fc", 4), ("dw*", 2), ("pw1", 4)]
    narrow = command._with_widths(given_widths, 2, {"fc": 8}).quant
    assert narrow.weight_bits == 2 and narrow.layers == {"fc": 8}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--layer", "dw1"], "bits, like 'dw\\*=8'"),
        (["--layer", "dw1=wide"], "bits, like 'dw\\*=8'"),
        (["--layer", "dw1=3"], "--layer dw1 should be 8, 4 or 2. Got: 3"),
        (["--bits", "3"], "--bits should be 8, 4 or 2. Got: 3"),
        (["--bits", "4", "--budget", "flash=3kB"], "one of them"),
        (["--layer", "dw1=3", "--budget", "flash=3kB"], "--layer dw1 should"),
        (["--budget", "flash=3"], "flash in B, kB"),
        (["--layer", "dw9=4"], "layer dw9 is not known; did you mean dw1. There are: conv1, dw1, fc, pw1"),
        (["--device", "f28p55x"], "--device goes with --budget"),
    ],
)
def test_bad_widths_are_refused(trained, prepared, arguments, message):
    with pytest.raises(ConfigError, match=message):
        quantized(trained, prepared, *arguments)
