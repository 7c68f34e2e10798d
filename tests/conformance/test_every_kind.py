"""Each kind of the table has a suite here; a new kind brings its own."""

from pathlib import Path

import pytest

from edgekws import plugins


@pytest.mark.parametrize("kind", plugins.KINDS)
def test_a_kind_has_its_suite(kind):
    assert Path(__file__).with_name(f"test_{kind}.py").is_file()


@pytest.mark.parametrize("entry", plugins.listing(), ids=lambda entry: f"{entry.kind}-{entry.name}")
def test_a_plugin_works_and_says_what_it_is(entry):
    assert entry.problem == ""
    assert len(entry.description) > 10
