"""Fine-tuning: the weights and the front end are the other network's, the last layer only where the labels are."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from edgekws import models, pipeline
from edgekws.errors import ArtifactError, ConfigError
from edgekws.features.presets import MLPERF
from edgekws.features.spec import FeatureSpec
from edgekws.nets import dscnn
from edgekws.recipe import Recipe, changed
from edgekws.training import checkpoint, init, trained

RELEASED = models.home() / "dscnn" / models.FLOAT


def quiet(*_):
    pass


def same(network, name):
    return torch.equal(network.state_dict()[name], checkpoint.load(RELEASED).groups["model"][name])


def test_other_labels_keep_all_but_the_last_layer():
    network = dscnn.build(3)
    init.apply(network, init.load("dscnn"), ("a", "b", "c"))
    assert same(network, "1.weight") and same(network, "26.running_mean")
    assert network.state_dict()["31.weight"].shape == (3, 64)


def test_as_many_other_labels_do_not_inherit_the_scores_of_these():
    initial = init.load("dscnn")
    network = dscnn.build(12)
    init.apply(network, initial, tuple("abcdefghijkl"))
    assert same(network, "1.weight") and not same(network, "31.weight")
    init.apply(network, initial, initial.labels)
    assert same(network, "31.weight")


def test_another_network_is_refused_with_the_layer_that_differs():
    with pytest.raises(ConfigError, match=r"should be the recipe's network: 1\.weight of shape \(8, 1, 10, 4\)"):
        init.apply(dscnn.build(3, channels=8), init.load("dscnn"), ("a", "b", "c"))


def test_what_is_no_network_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="one of dscnn, "):
        init.load("dscn")
    checkpoint.save(tmp_path / "qat.safetensors", {"run": {"quant": {}}}, {"model": {}})
    with pytest.raises(ArtifactError, match="one of QAT"):
        init.load(str(tmp_path / "qat.safetensors"))


def test_a_training_starts_from_a_model_folder_and_says_so_in_its_header(prepared, tmp_path):
    first = changed(Recipe(), train={"epochs": 1}, net={"options": {"channels": 8, "blocks": 1}})
    pipeline.train(first, prepared, tmp_path / "first", quiet)
    tuned = changed(first, train={"epochs": 1, "init": str(tmp_path / "first"), "learning_rate": 1e-9})
    best = pipeline.train(tuned, prepared, tmp_path / "tuned", quiet)
    one, two = checkpoint.load(tmp_path / "first/float/best.safetensors"), checkpoint.load(best)
    assert torch.allclose(one.groups["model"]["1.weight"], two.groups["model"]["1.weight"], atol=1e-4)
    assert "init" not in one.header["run"] and len(two.header["run"]["init"]) == 64
    assert "init" not in two.header["run"]["recipe"]["train"]  # a moved folder with the same weights continues
    assert two.header["run"]["features"] == one.header["run"]["features"]


def test_the_front_end_of_the_other_network_is_kept(prepared, tmp_path):
    recipe = changed(Recipe(), train={"epochs": 1, "init": "dscnn"})
    small = replace(prepared, splits={name: _first(split, 16) for name, split in prepared.splits.items()})
    best = pipeline.train(recipe, replace(small, folder=tmp_path / "data"), tmp_path / "out", quiet)
    features = trained.load_trained(best).features
    assert features == init.load("dscnn").features != FeatureSpec()


def test_a_network_that_standardizes_takes_weights_of_standardized_features():
    network = dscnn.build(3, standardize=True)
    init.require_front_end(network, init.load("dscnn"), MLPERF)
    init.apply(network, init.load("dscnn"), ("a", "b", "c"))
    assert same(network, "1.weight") and same(network, "26.running_mean")
    assert torch.equal(network.state_dict()["standardize.norm.weight"], torch.ones(10))
    with pytest.raises(ConfigError, match="should be trained on the features of the recipe"):
        init.require_front_end(dscnn.build(3), init.load("dscnn"), MLPERF)


def _first(split, count):
    kept = slice(0, count)
    return replace(
        split, samples=split.samples[kept], labels=split.labels[kept], ids=split.ids[kept],
        speakers=split.speakers[kept], sha256=split.sha256 + str(count),
    )  # fmt: skip


def test_the_recipe_for_own_words_is_found_by_its_name_and_is_no_model():
    from edgekws import recipe

    assert recipe.load(models.home() / "own_words" / models.RECIPE).train.init == "dscnn"
    assert "own_words" in models.recipes() and "own_words" not in models.names()
