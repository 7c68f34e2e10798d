"""`edgekws check --streaming`: figures, obstacles, conversion."""

import json

import pytest

from edgekws.cli.line.check import check
from edgekws.errors import ConfigError, TargetError
from edgekws.graph import io
from tests.streamable import valid_dscnn


@pytest.fixture
def saved(tmp_path):
    def save(graph):
        io.save(graph, tmp_path / "graph.npz")
        return tmp_path

    return save


def test_figures(saved, capsys):
    check(saved(valid_dscnn()), over_streams=True)
    shown = " ".join(capsys.readouterr().out.split())
    assert "2 rows (40 ms) a step" in shown
    assert "the first after 26 rows (530 ms), those of a clip after 74 rows (1,490 ms)" in shown
    assert "look-ahead: 13 rows (260 ms)" in shown
    assert "107,008 multiplications, 1/28.4 of the 3,039,488 of a clip" in shown
    assert "note:" not in shown


def test_layers_that_forbid_a_stream(saved, graph, capsys):
    with pytest.raises(TargetError, match=r"conv1, dw1.*--convert FOLDER"):
        check(saved(graph), over_streams=True)
    assert "5 rows of padding after the last row" in capsys.readouterr().out


def test_json(saved, graph, capsys):
    check(saved(valid_dscnn()), over_streams=True, as_json=True)
    document = json.loads(capsys.readouterr().out)
    assert (document["kind"], document["streams"], document["facts"]["macs"]) == ("edgekws-streaming", True, 107_008)
    with pytest.raises(TargetError):
        check(saved(graph), over_streams=True, as_json=True)
    document = json.loads(capsys.readouterr().out)
    assert document["facts"] is None and document["obstacles"][0]["layer"] == "conv1"
    assert "divides a clip by its own maximum" in document["notes"][0]


def test_conversion(saved, graph, tmp_path, capsys):
    check(saved(graph), over_streams=True, convert=tmp_path / "new")
    shown = capsys.readouterr()
    converted = io.load(tmp_path / "new" / "graph.npz")
    assert converted.nodes[-2].in_shape == graph.nodes[-2].in_shape
    assert converted.front_end.clip_samples > graph.front_end.clip_samples
    assert "accuracy has to be measured again" in shown.err
    assert "streams: every layer looks back only" in shown.out


def test_convert_alone_is_refused(saved):
    with pytest.raises(ConfigError, match="--convert goes with --streaming"):
        check(saved(valid_dscnn()), convert=saved(valid_dscnn()))
