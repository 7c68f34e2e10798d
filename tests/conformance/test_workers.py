"""Every engine of workers does each task once, and raises an error of ours as it was."""

import pytest

from edgekws import plugins
from edgekws.curate import workers
from edgekws.errors import DataError
from tests.curate.shards import tasks

SLOW = {"ray": pytest.mark.slow}  # it takes seconds to start; tests/curate/workers has fast tests of it


@pytest.fixture(params=[pytest.param(name, marks=SLOW.get(name, ())) for name in plugins.names("workers")])
def running(request):
    if request.param == "ray":
        pytest.importorskip("ray")
    with workers.start(request.param, 2) as engine:
        yield engine


def test_each_task_is_done_once(running):
    assert sorted(running.map(tasks.square, range(20))) == [(i, i * i) for i in range(20)]
    assert list(running.map(tasks.square, [])) == []
    assert running.workers >= 1 and running.peak_bytes() >= 0


def test_an_error_of_ours_is_raised_unchanged(running):
    with pytest.raises(DataError) as caught:
        list(running.map(tasks.refused, range(8)))
    assert (caught.value.got, caught.value.hint) == ("3", "give three")
