"""The name of the model in the protocol: the benchmark's only for a model of the benchmark's inputs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgekws.features.presets import MLPERF
from edgekws.features.spec import UnknownFeatures
from firmware_io.build import model_id
from tests.firmware_io.firmware.lines import started


def answers(graph, folder):
    with started("host", model_id.model(graph), folder) as (line, _):
        return line.ask("profile"), line.ask("help")


@pytest.mark.slow
def test_a_model_of_the_benchmarks_inputs_is_kws01(graph, tmp_path):
    profile, help_text = answers(replace(graph, features=MLPERF), tmp_path)
    assert profile[1] == "m-model-[kws01]"
    assert not any("NOT those" in line for line in help_text)


def test_a_model_of_other_inputs_says_so(graph, tmp_path):
    profile, help_text = answers(replace(graph, features=UnknownFeatures((49, 10))), tmp_path)
    assert profile[1] == "m-model-[kws-own-inputs]"
    assert sum("inputs are NOT those of kws01" in line for line in help_text) == 1
    assert help_text[-1].startswith("m-build-[")


def test_scales_of_its_own_are_other_inputs(graph):
    assert model_id.of(replace(graph, features=replace(MLPERF, input_scale=(0.5,) * 10))) == model_id.OWN_INPUTS
    assert model_id.of(replace(graph, features=replace(MLPERF, rounding="nearest"))) == model_id.BENCHMARK
