"""The arrows: each step refuses what an earlier one did not finish, and states what it was really made from."""

import pytest

from edgekws import pipeline, recipe
from edgekws.errors import ArtifactError, ConfigError, DataError
from edgekws.train import BEST

NET = {"name": "dscnn", "options": {"channels": 16, "blocks": 1, "dropout": 0.0}}
TINY = recipe.Recipe(
    name="tiny",
    net=NET,
    train={"epochs": 2, "batch": 64},
    quant={"epochs": 1, "calibration_clips": 64, "method": "qat"},
)


def quiet(*_):
    pass


def stop_in_second_epoch(what, done, total):
    if what.startswith("train") and done > total // 2:
        raise KeyboardInterrupt


@pytest.fixture(scope="module")
def trained(prepared, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    pipeline.train(TINY, prepared, folder, quiet)
    return folder


def test_an_unfinished_training_is_not_quantized(prepared, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        pipeline.train(TINY, prepared, tmp_path, stop_in_second_epoch)
    with pytest.raises(ArtifactError, match="epoch 1 of 2"):
        pipeline.load_trained(tmp_path / "float" / BEST, TINY)
    pipeline.train(TINY, prepared, tmp_path, quiet)
    assert pipeline.load_trained(tmp_path / "float" / BEST, TINY).recipe == TINY


def test_the_recipe_of_the_training_is_what_is_stated(trained, prepared):
    given = recipe.changed(TINY, seed=7, train={"epochs": 99}, quant={"method": "ptq", "calibration_clips": 64})
    found = pipeline.load_trained(trained / "float" / BEST, given)
    assert found.recipe == recipe.changed(TINY, quant=given.quant)
    pipeline.quantize(found, prepared, trained, quiet)
    stated = pipeline.read_scores(trained / "quantize.json")["recipe"]
    assert stated["seed"] == 0 and stated["train"]["epochs"] == 2 and stated["quant"]["method"] == "ptq"


def test_another_network_is_refused(trained):
    other = recipe.changed(TINY, net={**NET, "options": {"channels": 32}})
    with pytest.raises(ArtifactError, match="channels': 32"):
        pipeline.load_trained(trained / "float" / BEST, other)


def test_another_quantization_plan_is_another_run(trained, prepared):
    for rate in (1e-4, 2e-4):
        plan = recipe.changed(TINY, quant={**TINY.quant.model_dump(), "learning_rate": rate})
        pipeline.quantize(pipeline.load_trained(trained / "float" / BEST, plan), prepared, trained, quiet)
    assert len(list((trained / "quant").iterdir())) == 2
    scores = pipeline.read_scores(trained / "quantize.json")["scores"]
    assert all(split["differing_integers"] == 0 for split in scores.values())


def test_unknown_network_options_are_named(prepared, tmp_path):
    wrong = recipe.changed(TINY, net={"name": "dscnn", "options": {"chanels": 8}})
    with pytest.raises(ConfigError, match="chanels"):
        pipeline.train(wrong, prepared, tmp_path, quiet)


def test_another_set_of_labels_is_refused(trained, prepared):
    from dataclasses import replace

    other = replace(prepared, labels=tuple(reversed(prepared.labels)))
    with pytest.raises(DataError, match="_silence_"):
        pipeline.quantize(pipeline.load_trained(trained / "float" / BEST, TINY), other, trained, quiet)


def test_fewer_clips_than_a_batch_still_train(prepared, tmp_path):
    big = recipe.changed(TINY, train={"epochs": 1, "batch": 4096})
    pipeline.train(big, prepared, tmp_path, quiet)
    assert "nan" not in (tmp_path / "float" / "log.csv").read_text()


def test_sources_are_the_modules_that_list_recordings(tmp_path):
    assert pipeline.sources() == ["folder", "speech_commands", "synthetic"]
    with pytest.raises(ConfigError, match="folder, speech_commands, synthetic"):
        pipeline.prepare("augment", tmp_path, tmp_path, quiet)
