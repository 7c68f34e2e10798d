"""Every target implements the whole protocol; names find targets and devices."""

from __future__ import annotations

import numpy as np
import pytest

from edgekws import plugins, targets
from edgekws.errors import ConfigError
from edgekws.quant.layers import factor_of
from edgekws.targets import Figure, int8
from tests.graphs import random_dag

NAMES = plugins.names("targets")
DEVICES = [f"{name}:{device}" for name in NAMES for device in plugins.load("targets", name).DEVICES]


def figures(value):
    """Every Figure below a dataclass."""
    if isinstance(value, Figure):
        yield value
    elif hasattr(value, "__dataclass_fields__"):
        for name in value.__dataclass_fields__:
            yield from figures(getattr(value, name))


@pytest.mark.parametrize("name", NAMES)
def test_the_protocol(name):
    target, device = targets.load(name)
    assert name == target.NAME
    assert target.RULE in ("offset-scale-shift", "fixed-point")
    assert tuple(sorted(target.WEIGHT_BITS, reverse=True)) == target.WEIGHT_BITS
    assert device is next(iter(target.DEVICES.values()))
    for bits in target.WEIGHT_BITS:
        assert target.weight_limit(bits, 0) == (1 << (bits - 1)) - 1
        mult, shift = target.quantize_multiplier(np.array([0.003, 0.4]), bits)
        assert mult.shape == shift.shape == (2,)
    assert 0 < target.pool_factor(125) <= 1 / 64


@pytest.mark.parametrize("name", NAMES)
def test_graphs_of_a_target_are_legal_and_have_a_cost(name):
    target, device = targets.load(name)
    graph = random_dag(3, target=name, bits=target.WEIGHT_BITS)
    assert not any(reason.startswith("rounding") for reason in targets.refused_layers(graph, target).values())
    for node in graph.nodes:
        assert target.cycles(node, device) > 0


@pytest.mark.parametrize("name", DEVICES)
def test_every_figure_of_a_device_has_a_source_and_lies_within_its_spread(name):
    _, device = targets.load(name)
    result = list(figures(device))
    assert len(result) >= 5
    for figure in result:
        assert len(figure.source) > 8
        assert 0 <= figure.lowest <= figure.value <= figure.highest


def test_names():
    target, device = targets.load("tinpu:F28P55x")
    assert (target.NAME, device.name) == ("tinpu", "f28p55x")
    assert targets.load("tinpu")[1].name == "mspm0g5187"


def test_datasheet_memories():
    sizes = {name: targets.load(f"tinpu:{name}")[1] for name in ("mspm0g5187", "f28p55x", "am13e2")}
    assert {name: device.flash_bytes.value / 1024 for name, device in sizes.items()} == {
        "mspm0g5187": 128,
        "f28p55x": 1088,
        "am13e2": 512,
    }
    assert (sizes["mspm0g5187"].ram_bytes.value, sizes["am13e2"].ram_bytes) == (32 * 1024, None)


def test_unknown_names_list_what_there_is():
    with pytest.raises(ConfigError, match=r"tpu is not known; did you mean tinpu.*int8, tinpu"):
        targets.load("tpu")
    with pytest.raises(
        ConfigError, match=r"tinpu:f28p65x is not known; did you mean tinpu:f28p55x\?.* tinpu:mspm0g5187"
    ):
        targets.load("tinpu:f28p65x")


@pytest.mark.parametrize(("name", "bits", "most"), [("int8", 8, 1), ("int8", 4, 1), ("tinpu", 8, 1), ("tinpu", 4, 255)])
def test_multipliers_saturate_at_the_largest_factor(name, bits, most):
    target = targets.load(name)[0]
    expected = np.array([most * (1 - 2.0**-40), most, 1.5 * most, 1e9])
    assert np.allclose(factor_of(*target.quantize_multiplier(expected, bits), target), most, rtol=1e-8)


def test_rules_of_int8():
    theirs = random_dag(3, target="tinpu", bits=(2,))
    reasons = {int8.legal(node) for node in theirs.nodes if node.weight is not None}
    assert reasons == {"weight-bits: weights of 8 or 4 bits, not 2"}
    rounding = {int8.legal(node) for node in random_dag(3, bits=(8,)).nodes if not node.requant.is_identity}
    assert rounding == {"rounding: requantization is fixed-point or fixed-point-once, not offset-scale-shift"}
