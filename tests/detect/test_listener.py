"""From a waveform to events: the same for any size of blocks and either engine, at the times that the samples say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgekws.detect.detector import Detector
from edgekws.detect.listener import Listener, Scorer, front_end
from edgekws.detect.settings import Settings
from edgekws.errors import ConfigError, TargetError
from edgekws.features import fixed, mfcc
from edgekws.graph.ir import Graph
from edgekws.graph.stream import definition
from firmware_io.build import host_cc
from tests.conftest import random_graph
from tests.detect.models import SPEC, sound, streamable


def always(graph: Graph) -> Settings:
    """Passes often, whatever the weights."""
    labels = graph.labels[2:5]
    return Settings(labels, (60,) * len(labels), 3, 4)


def blocks(samples: np.ndarray, size: int) -> list[np.ndarray]:
    return [samples[at : at + size] for at in range(0, len(samples), size)]


def test_events_do_not_depend_on_the_size_of_blocks() -> None:
    graph, samples = streamable(), sound(2)
    whole = Listener(graph, always(graph), "interp").push(samples)
    assert len(whole) >= 2
    for size in (1_111, 7_919):
        listener = Listener(graph, always(graph), "interp")
        assert [event for block in blocks(samples, size) for event in listener.push(block)] == whole
        assert listener.samples == len(samples)


def test_posteriors_are_those_of_the_definition() -> None:
    graph, samples = streamable(), sound(3)
    scorer = Scorer(graph, ("up", "no"), "interp")
    rows = fixed.FrontEnd(SPEC).push(samples)
    expected = graph.permille(definition.scores(graph, rows))[:, [4, 3]]
    assert (np.concatenate([scorer.push(block) for block in blocks(samples, 500)]) == expected).all()


def test_a_model_of_float_features_is_heard_too() -> None:
    """Matrix products of other sizes may round differently, so the rows are nearly equal."""
    spec, samples = replace(SPEC, arithmetic="float"), sound(2)
    stream = front_end(spec)
    rows = np.concatenate([stream.push(block) for block in blocks(samples, 500)])
    whole = replace(spec, clip_samples=len(samples))
    assert (rows != mfcc.quantize(whole, mfcc.mfcc(whole, samples[None]))[0]).mean() < 0.01


def test_an_event_comes_with_the_last_sample_of_its_last_window() -> None:
    graph, samples = streamable(), sound(3)
    first = Listener(graph, always(graph), "interp").push(samples)[0]
    early, late = Listener(graph, always(graph), "interp"), Listener(graph, always(graph), "interp")
    assert early.push(samples[: first.time_samples - 1]) == []
    assert late.push(samples[: first.time_samples]) == [first]


def test_the_listener_is_front_end_stream_and_detector() -> None:
    graph, samples = streamable(), sound(2)
    chosen = always(graph)
    events = Detector(chosen).push(Scorer(graph, chosen.keywords, "interp").push(samples))
    listener = Listener(graph, chosen, "interp")
    assert listener.push(samples) == [listener.detection(event) for event in events]


@pytest.mark.slow
@pytest.mark.skipif(not host_cc.has_compiler(), reason="there is no C compiler")
def test_compiled_and_interpreted_streams_have_the_same_events() -> None:
    graph, samples = streamable(), sound(2)
    assert Listener(graph, always(graph)).push(samples) == Listener(graph, always(graph), "interp").push(samples)


def test_a_graph_that_cannot_stream_names_its_layer() -> None:
    with pytest.raises(TargetError, match="conv1"):
        Listener(random_graph(), Settings(("word1",), (900,), 1, 1), "interp")


def test_a_level_of_clips_cannot_stream() -> None:
    graph = streamable(replace(SPEC, level="clip"))
    with pytest.raises(TargetError, match="level does not change"):
        Listener(graph, always(graph), "interp")


def test_a_keyword_should_be_a_label() -> None:
    with pytest.raises(ConfigError, match="yess is not known"):
        Listener(streamable(), Settings(("yess",), (900,), 1, 1), "interp")
