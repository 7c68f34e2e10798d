"""Every target is complete: its numbers are consistent, and it refuses what its hardware lacks with a reason."""

from dataclasses import replace

import numpy as np
import pytest

from edgekws import plugins, targets
from edgekws.targets import Target
from tests.graphs import random_dag


@pytest.fixture(params=plugins.names("targets"))
def target(request):
    return plugins.load("targets", request.param)


def test_implements_the_whole_protocol(target):
    names = {*Target.__annotations__, *(name for name in vars(Target) if not name.startswith("_"))}
    assert {name for name in names if not hasattr(target, name)} == set()
    assert set(plugins.KINDS["targets"].contract) <= names


def test_is_loaded_by_its_name_with_each_device(target):
    assert targets.load(target.NAME)[0] is target
    for name, device in target.DEVICES.items():
        assert targets.load(f"{target.NAME}:{name}") == (target, device)


def test_limits_follow_the_widths(target):
    assert list(target.WEIGHT_BITS) == sorted(set(target.WEIGHT_BITS), reverse=True)
    for bits in target.WEIGHT_BITS:
        assert 0 < target.weight_limit(bits, 0) < 1 << (bits - 1)
        assert target.offset_limit(bits) >= (1 << 15) - 1
    assert 0 < target.pool_factor(125) <= 1 / 64


def test_refuses_widths_that_it_lacks_and_costs_what_it_takes(target):
    rule = {"offset-scale-shift": "tinpu", "fixed-point": "int8"}[target.RULE]
    graph = random_dag(11, rule, (8,))
    legal = [node for node in graph.nodes if target.legal(node, graph) is None]
    assert len(legal) >= len(graph.nodes) - 1
    for node in legal:
        for device in target.DEVICES.values():
            assert np.isfinite(target.cycles(node, device)) and target.cycles(node, device) > 0
    reason = target.legal(replace(legal[1], weight_bits=3))
    assert reason and "3" in reason
