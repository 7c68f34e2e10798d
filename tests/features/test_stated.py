"""Front ends that are stated: by a preset's name or in a file, and whether they fit a model's input."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from edgekws.errors import ArtifactError, ConfigError, DataError
from edgekws.features.presets import MLPERF, are_the_benchmarks, stated
from edgekws.features.spec import FeatureSpec, UnknownFeatures


def test_a_preset_or_a_file_with_what_differs_from_it(tmp_path):
    assert stated("mlperf") == MLPERF
    (tmp_path / "own.toml").write_text("coefficients = 12\nmel_bands = 64\ninput_scale = 0.5\ninput_zero_point = 3\n")
    own = stated(str(tmp_path / "own.toml"))
    assert (own.coefficients, own.mel_bands, own.network_scale, own.network_zero) == (12, 64, 0.5, 3)
    (tmp_path / "own.json").write_text(json.dumps(own.to_json()))
    assert stated(str(tmp_path / "own.json")) == own


@pytest.mark.parametrize(
    ("name", "text", "error", "message"),
    [
        ("mlperff", None, ConfigError, "should be mlperf, sww01-fixed-point, sww01-float, or a"),
        ("a.json", None, ArtifactError, "there is no file"),
        ("a.toml", "coefficients = ", ArtifactError, "should be JSON or TOML"),
        ("a.json", "[3]", ArtifactError, "should hold the fields of a front end"),
        ("a.json", '{"mels": 3}', ArtifactError, "mels.* unknown"),
        ("a.json", '{"coefficients": "ten"}', ArtifactError, "coefficients should be an integer"),
        ("a.json", '{"input_scale": [1.0, 2.0]}', ArtifactError, "each coefficient should have a scale"),
    ],
)
def test_what_is_no_front_end_is_refused(tmp_path, name, text, error, message):
    path = tmp_path / name
    if text is not None:
        path.write_text(text)
    with pytest.raises(error, match=message):
        stated(str(path) if "." in name else name)


def test_the_front_end_of_a_graph_is_stated_later(graph):
    unknown = replace(graph, features=UnknownFeatures((49, 10)), input_zero=83, input_scale=MLPERF.network_scale)
    with pytest.raises(DataError, match="the front end should be known"):
        unknown.front_end  # noqa: B018
    assert unknown.with_front_end(MLPERF).front_end == MLPERF
    with pytest.raises(
        DataError, match=r"features should be those of its input, .*zero point 0, .*Got: .*zero point 83"
    ):
        replace(unknown, input_zero=0).with_front_end(MLPERF)
    with pytest.raises(DataError, match=r"its input, 49 x 10 x 1, .*Got: 49 x 12 x 1"):
        unknown.with_front_end(stated_wide())


def stated_wide():
    return replace(MLPERF, coefficients=12, input_scale=MLPERF.input_scale[:1] * 12, input_zero_point=(83,) * 12)


def test_which_features_are_the_benchmarks():
    assert are_the_benchmarks(MLPERF) and are_the_benchmarks(FeatureSpec())
    assert not are_the_benchmarks(UnknownFeatures((49, 10))) and not are_the_benchmarks(replace(MLPERF, mel_bands=41))
