"""One running board of each kind that needs no hardware, for a whole module of tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from edgekws.emit.c import emit
from edgekws.graph.ir import Graph
from tests.conftest import random_graph
from tests.firmware_io.firmware.lines import HERE, Line, started


@pytest.fixture(scope="module")
def model_graph() -> Graph:
    return random_graph(seed=0)


@pytest.fixture(scope="module", params=HERE)
def line(
    request: pytest.FixtureRequest, model_graph: Graph, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Line]:
    with started(request.param, emit(model_graph), tmp_path_factory.mktemp("boards")) as (line, _):
        line.name = request.param
        yield line
