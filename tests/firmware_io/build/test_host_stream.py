"""The C of a streamed model gives the integers of the definition, however the rows are cut."""

import re

import numpy as np
import pytest

from edgekws.emit import c
from edgekws.emit.c import stream
from edgekws.errors import ArtifactError, TargetError
from edgekws.graph.stream import definition
from firmware_io.build import host_cc
from firmware_io.build.host_stream import HostStream
from tests.columns import column_network
from tests.recurrent import gru_graph
from tests.streamable import random_streamable, valid_dscnn

FAST = (*host_cc.PORTABLE, "-O0")


def files(graph):
    return {**c.emit(graph), **stream.emit(graph)}


def random_rows(graph, count, seed=0):
    return np.random.default_rng(seed).integers(-128, 128, (count, graph.clip_shape[1])).astype(np.int8)


def equals_the_definition(graph, folder, options, seed=0):
    rows, opened = random_rows(graph, graph.clip_shape[0] + 60, seed), HostStream(files(graph), folder, options)
    cuts = np.sort(np.random.default_rng(seed).integers(0, len(rows), 3))
    for _ in range(2):
        scores = np.concatenate([opened.push(part) for part in np.split(rows, cuts)])
        if not np.array_equal(scores, definition.scores(graph, rows)):
            return False
        opened.reset()
    return True


@pytest.mark.parametrize("seed", [3, 11])
def test_a_random_stream_equals_its_definition(seed, tmp_path):
    assert equals_the_definition(random_streamable(seed), tmp_path, FAST, seed)


def test_rows_of_one_column_equal_their_definition(tmp_path):
    assert equals_the_definition(column_network("fixed-point", 1, taps=(2, 5)), tmp_path, FAST)


def test_streams_of_one_model_are_apart(tmp_path):
    graph = valid_dscnn(channels=8, blocks=2, rows=29)
    rows = [random_rows(graph, 100, seed) for seed in (1, 2)]
    first, second = (HostStream(files(graph), tmp_path, FAST) for _ in rows)
    assert (first.step_rows, first.first_rows) == (2, 18)
    halves = [
        (first.push(rows[0][:51]), second.push(rows[1][:51])),
        (first.push(rows[0][51:]), second.push(rows[1][51:])),
    ]
    for number in (0, 1):
        scores = np.concatenate([half[number] for half in halves])
        assert np.array_equal(scores, definition.scores(graph, rows[number]))
    with pytest.raises(ArtifactError, match="int8"):
        first.push(np.zeros((2, 11), np.int8))


@pytest.mark.slow
@pytest.mark.parametrize("options", [(*host_cc.PORTABLE, "-O1"), None], ids=["portable", "native"])
def test_many_random_streams_equal_their_definition(options, tmp_path):
    for seed in range(40):
        assert equals_the_definition(random_streamable(seed), tmp_path, options, seed), seed


def test_kernels_of_a_stream_are_its_own():
    """A program may have the model for clips too."""
    graph = valid_dscnn(channels=8, blocks=1, rows=31)
    source = files(graph)["model_stream.c"].decode()
    defined = re.findall(
        r"^(?!static|EKW_KERNEL|#|/|\s|\}|bool ekw_stream_|void ekw_stream_).+\(.*\{$", source, re.MULTILINE
    )
    assert "#define EKW_LINKAGE EKW_STATIC" in source and not defined


def test_the_memory_of_a_stream_is_that_of_its_rows():
    """The DS-CNN keeps 10 rows of features, 3 of each depthwise layer's input, and 25 sums of 64 channels."""
    memory = stream.memory(valid_dscnn())
    assert memory.state == 104 + 4 * 3 * 5 * 64 + (25 * 64 * 2 + 64 * 4 + 8)
    assert memory.tensors <= 2 * 320 + 64


def test_layers_that_keep_a_state_are_refused_by_name():
    with pytest.raises(TargetError, match="gru: C has no recurrent layers in streams yet"):
        stream.emit(gru_graph(rows=5))
