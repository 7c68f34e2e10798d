"""Every mode of a bench has a place in the order, and no section of the report before it measured."""

import numpy as np
import pytest

from edgekws import plugins
from firmware_io import board
from firmware_io.bench import modes
from firmware_io.bench.modes import Plan, Setup, Vectors
from firmware_io.energy.meter import Meter

MODES = plugins.names("bench_modes")


def test_the_order_is_total():
    assert len({plugins.load("bench_modes", name).ORDER for name in MODES}) == len(MODES)
    assert modes.in_order(["energy", "accuracy", "performance", "accuracy"]) == ("performance", "accuracy", "energy")


@pytest.mark.parametrize("name", MODES)
def test_there_is_no_section_before_anything_is_measured(name, graph, tmp_path):
    vectors = Vectors("none", ("clip",), np.zeros((1, 49, 10), np.int8))
    setup = Setup(
        None,
        board.load("host"),
        graph,
        vectors,
        Plan((name,)),
        lambda *_: None,
        meter=Meter("lpm01a:/nowhere", tmp_path, 3.0),
        monitor=object(),
    )
    assert modes.runner(name, setup).section() is None
