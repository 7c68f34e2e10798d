"""Training on streams: every step of a longer input is an example, and a run learns from composed streams."""

from pathlib import Path

import numpy as np
import pytest
import torch

from edgekws import plugins
from edgekws.data.scenes import recordings, words
from edgekws.data.scenes.compose import Sources
from edgekws.data.scenes.targets import IGNORED
from edgekws.errors import ConfigError
from edgekws.features.spec import FeatureSpec
from edgekws.quant import ptq
from edgekws.quant.frontends import torch_fx
from edgekws.recipe import QuantSection, StreamSection
from edgekws.training.streaming import positions
from edgekws.training.streaming import streams as module
from edgekws.training.streaming.streams import Streams

LABELS = ("up", "down", "_silence_", "_unknown_")


def built(**options):
    torch.manual_seed(0)
    return plugins.load("networks", "dscnn").build(len(LABELS), channels=8, blocks=2, **options)


@torch.no_grad()
def test_each_step_of_a_longer_input_has_the_scores_of_its_own_clip():
    network = built(stream=True).eval()
    rows = torch.randn(2, 1, 86, 10)
    clips = torch.stack([network(rows[:, :, at : at + 74]) for at in range(0, 13, 2)], 1)
    assert positions.slide(network, (74, 10)) == 2
    torch.testing.assert_close(network(rows).reshape(2, 7, -1), clips)
    assert network(rows[:, :, :74]).shape == (2, 4)


@torch.no_grad()
def test_the_quantized_network_slides_too():
    inputs = torch.randn(16, 1, 74, 10).clamp(-3.9, 3.9)
    network = ptq.quantize(torch_fx.trace(built(stream=True).eval(), (74, 10)), inputs, QuantSection(equalize=True))
    rows = torch.randn(1, 1, 78, 10)
    clips = torch.cat([network(rows[:, :, at : at + 74]) for at in (0, 2, 4)])
    assert positions.slide(network, (74, 10)) == 2
    assert torch.equal(network(rows), clips)


def test_padding_in_time_is_refused():
    with pytest.raises(ConfigError, match="compute each row once"):
        positions.slide(built(), (74, 10))


@pytest.fixture
def streams(monkeypatch):
    monkeypatch.setattr(module, "_GROUP", 1)
    rng = np.random.default_rng(0)
    clips = (rng.standard_normal((9, 16_000)) * 20).astype(np.int16)
    for number in range(9):
        clips[number, 6_000:11_000] += (5_000 * np.sin(np.arange(5_000) * 0.1 * (1 + number % 3))).astype(np.int16)
    long = recordings.joined([(rng.standard_normal(40_000) * 500).astype(np.int16)])
    found = words.located(clips, np.array([0, 1, 3] * 3), 16_000)
    features = FeatureSpec(clip_samples=23_840, level="stream")
    plan = StreamSection(hours=0.01, passes=1, piece_steps=4)
    return Streams(plan, Sources(found, (0, 1), long, long, [], 16_000), LABELS, features, 16, 0, 2)


def test_batches_are_the_same_for_the_same_epoch(streams):
    (first,), (again,), (other,) = (next(streams.batches(epoch)) for epoch in (0, 0, 1))
    assert first.inputs.shape == (16, 1, 80, 10) and first.labels.shape == (16, 4)
    assert torch.equal(first.inputs, again.inputs) and torch.equal(first.labels, again.labels)
    assert not torch.equal(first.inputs, other.inputs)
    assert set(first.labels.unique().tolist()) <= {IGNORED, 0, 1, 2, 3}


def test_an_accepted_wrong_step_costs_more(streams):
    answers = torch.tensor([[3, IGNORED]])
    logits = torch.zeros(2, 4)
    plain = streams.loss(logits, answers)
    logits[0, 0] = 3.0
    assert streams.loss(logits, answers) > 3 * plain
    logits[1] = torch.tensor([9.0, 0, 0, 0])
    assert torch.isfinite(streams.loss(logits, answers))


def test_the_released_recipe_trains_on_streams():
    from edgekws import models, recipe

    plan = recipe.load(Path(models.home() / "dscnn_stream" / models.RECIPE))
    assert plan.stream is not None and plan.net.options["stream"]
    assert recipe.load(models.home() / "dscnn" / models.RECIPE).to_json().get("stream") is None
