"""Every vendor's tool has a known target, a command of one line, and its input files."""

import numpy as np
import pytest

from edgekws import plugins
from tests.graphs import random_dag


@pytest.mark.parametrize("name", plugins.names("vendors"))
def test_writes_what_its_tool_takes(name, tmp_path):
    vendor, target = plugins.load("vendors", name), None
    target = plugins.load("targets", vendor.TARGET)
    assert vendor.NAME.replace("-", "_") == name and len(vendor.HOW_TO_GET) > 10
    graph = random_dag(3, vendor.TARGET, (8,))
    features = np.random.default_rng(0).integers(-128, 128, (24, 49, 10)).astype(np.int8)
    labels, ids = np.arange(24) % len(graph.labels), [f"clip{number}" for number in range(24)]
    for device in target.DEVICES:
        vendor.write(tmp_path / device, graph, device, features, labels, ids)
        assert any((tmp_path / device).iterdir())
        assert "\n" not in vendor.command(graph, device)
    assert vendor.installed() in (True, False)
