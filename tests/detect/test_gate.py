"""The gate: scores of open steps are those of a stream that began at the last opening, whatever the blocks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgekws.detect import settings
from edgekws.detect.detector import Detector
from edgekws.detect.gate import GatedStream, Levels, rest_label
from edgekws.detect.listener import Listener, Scorer
from edgekws.detect.settings import Gate, Settings
from edgekws.errors import ArtifactError, ConfigError
from edgekws.graph.ir import Graph
from edgekws.graph.stream import definition
from tests.detect.models import streamable
from tests.streamable import random_streamable, valid_dscnn

WORDS = ("yes", "no", "up")


def bursts(seconds: float, seed: int = 0) -> np.ndarray:
    """Quiet noise with loud bursts of 0.1 to 0.6 s, int16 [n] at 16 kHz."""
    rng = np.random.default_rng(seed)
    level = np.full(int(16_000 * seconds), 30.0)
    at = 0
    while at < len(level):
        at += int(rng.integers(4_000, 60_000))
        level[at : (at := at + int(rng.integers(1_600, 9_600)))] = 3_000
    return np.clip(rng.normal(size=len(level)) * level, -32_768, 32_767).astype(np.int16)


def rows_of(graph: Graph, count: int, seed: int) -> np.ndarray:
    """Rows whose first values are low, but for some that are high."""
    rng = np.random.default_rng(seed)
    rows = rng.integers(-5, 6, (count, graph.clip_shape[1])).astype(np.int8)
    for at in rng.integers(0, count, count // 200 + 1):
        rows[at : at + 5] += np.int8(90)
    return rows


def reference(graph: Graph, gate: Gate, rows: np.ndarray, keywords: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """(scores, whether computed) of all steps, straight from the definition: a stream for each opening."""
    stream = graph.stream("interp")
    size, first, clip = stream.step_rows, stream.first_rows, graph.clip_shape[0]
    levels = Levels(gate.margin, gate.hangover_steps * size, 2)
    is_open = [levels.push(row) for row in rows]
    begin, last_open, scores, computed = 0, -1, [], []
    streams = {0: definition.scores(graph, rows)}
    for at in range(len(rows)):
        if is_open[at]:
            if at - 1 - last_open > clip:
                begin = (at - clip) // size * size
                streams[begin] = definition.scores(graph, rows[begin:])
            last_open = at
        if at + 1 < first or (at + 1 - first) % size:
            continue
        computed.append(is_open[at])
        rest = np.full(len(graph.labels), -128)
        rest[rest_label(graph.labels, keywords)] = 127
        scores.append(streams[begin][(at + 1 - begin - first) // size] if is_open[at] else rest)
    return np.array(scores), np.array(computed)


@pytest.mark.parametrize("seed", range(6))
def test_scores_are_those_of_a_stream_that_began_before_the_opening(seed: int) -> None:
    graph = random_streamable(seed)
    keywords, gate = graph.labels[1:2], Gate(40, 1 + seed % 3)
    rows = rows_of(graph, 900, seed)
    expected, computed = reference(graph, gate, rows, keywords)
    assert 0 < computed.sum() < len(computed)
    for size in (1, 7, 900):
        gated = GatedStream(graph, graph.stream("interp"), gate, keywords, 2)
        made = np.concatenate([gated.push(rows[at : at + size]) for at in range(0, len(rows), size)])
        assert (made == expected).all()
        assert (gated.steps, gated.computed) == (len(computed), computed.sum())


def test_without_padding_in_time_only_skipped_steps_differ_from_the_scores_without_a_gate() -> None:
    graph, gate = valid_dscnn(channels=8, blocks=1, rows=31), Gate(40, 3)
    rows = rows_of(graph, 800, 1)
    made = GatedStream(graph, graph.stream("interp"), gate, graph.labels[1:2], 2).push(rows)
    _, computed = reference(graph, gate, rows, graph.labels[1:2])
    assert 0 < computed.mean() < 0.7
    whole = definition.scores(graph, rows)
    assert (made[computed] == whole[computed]).all()


def test_events_are_those_of_the_detector_and_do_not_depend_on_blocks() -> None:
    graph, sound = streamable(), bursts(12)
    chosen = Settings(WORDS, (70,) * 3, 3, 10, gate=Gate(8, 12))
    scorer = Scorer(graph, WORDS, "interp", chosen.gate)
    posteriors = scorer.push(sound)
    whole = Listener(graph, chosen, "interp")
    events = whole.push(sound)
    assert events and events == [whole.detection(each) for each in Detector(chosen).push(posteriors)]
    other = Listener(graph, chosen)
    assert [each for at in range(0, len(sound), 777) for each in other.push(sound[at : at + 777])] == events
    assert other.scorer.scores_crc32 == scorer.scores_crc32 == whole.scorer.scores_crc32


def test_loud_rows_open_and_constant_ones_close() -> None:
    levels = Levels(6, 10, 1)
    quiet, loud = np.zeros(3, np.int8), np.full(3, 6, np.int8)
    assert [levels.push(quiet) for _ in range(12)] == [True] * 10 + [False] * 2
    assert [levels.push(row) for row in (loud, *[quiet] * 10)] == [True] * 10 + [False]
    assert any(not levels.push(np.full(3, 40, np.int8)) for _ in range(60 * 50))  # the floor follows


def test_the_gate_is_saved_and_refused_with_other_fields(tmp_path: Path) -> None:
    path = tmp_path / settings.FILE
    chosen = Settings(WORDS, (70,) * 3, 3, 10, gate=Gate(8, 12))
    settings.save(chosen, path, "0" * 64)
    assert settings.load(path) == chosen
    path.write_text(path.read_text().replace('"margin"', '"margins"'))
    with pytest.raises(ArtifactError, match="gate should have the fields"):
        settings.load(path)
    with pytest.raises(ConfigError, match=r"hangover of the gate should be 1\.\.1000 steps"):
        Gate(8, 0)
    settings.save(replace(chosen, gate=None), path, "0" * 64)
    assert "gate" not in path.read_text()


def test_a_gate_needs_a_label_that_is_no_keyword() -> None:
    assert rest_label(("yes", "_unknown_"), ("yes",)) == 1
    with pytest.raises(ConfigError, match="a label that is no keyword"):
        rest_label(("yes",), ("yes",))
