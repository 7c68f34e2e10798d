"""The modules of the firmware's application include each other in one direction only."""

from __future__ import annotations

import re
from graphlib import CycleError, TopologicalSorter

import pytest

from firmware_io.build import FIRMWARE


def includes(sources: dict[str, str]) -> dict[str, set[str]]:
    """Each module with the other modules that it includes. sources: the text of each .c and .h by its file name."""
    graph: dict[str, set[str]] = {}
    for name, text in sources.items():
        module = name.partition(".")[0]
        others = set(re.findall(r'#include "app/(\w+)\.h"', text)) - {module}
        graph.setdefault(module, set()).update(others)
    return graph


def test_application_modules_have_no_circular_includes() -> None:
    graph = includes({path.name: path.read_text() for path in (FIRMWARE / "app").glob("*.[ch]")})
    order = list(TopologicalSorter(graph).static_order())
    assert order.index("text") < order.index("check") < order.index("protocol") < order.index("main")


def test_a_circular_include_is_found() -> None:
    sources = {"text.c": '#include "app/text.h"\n#include "app/check.h"\n', "check.h": '#include "app/text.h"\n'}
    with pytest.raises(CycleError):
        TopologicalSorter(includes(sources)).prepare()
