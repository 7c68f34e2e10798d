"""Pipeline steps: each refuses what an earlier one did not finish, and records its real inputs."""

import json
from dataclasses import replace

import pytest

from edgekws import pipeline, plugins, recipe
from edgekws.errors import ArtifactError, ConfigError, DataError
from edgekws.graph import io
from edgekws.training import checkpoint
from edgekws.training.checkpoint import BEST
from tests.graphs import random_dag

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


def test_the_recipe_of_the_training_is_recorded(trained, prepared):
    given = recipe.changed(TINY, seed=7, train={"epochs": 99}, quant={"method": "ptq", "calibration_clips": 64})
    loaded = pipeline.load_trained(trained / "float" / BEST, given)
    assert loaded.recipe == recipe.changed(TINY, quant=given.quant)
    pipeline.quantize(loaded, prepared, trained, quiet)
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


def test_network_options_of_another_kind_are_shown(prepared, tmp_path):
    wrong = recipe.changed(TINY, net={"name": "dscnn", "options": {"channels": "many"}})
    with pytest.raises(ConfigError, match=r"net.options should suit the network dscnn. Got: .*many"):
        pipeline.train(wrong, prepared, tmp_path, quiet)


def test_a_checkpoint_of_qat_is_refused_as_float_network(prepared, tmp_path):
    checkpoint.save(tmp_path / BEST, {"run": {"quant": {}}, "epoch": 0}, {"model": {}})
    with pytest.raises(ArtifactError, match=r"should be the checkpoint of a float training. Got: one of QAT"):
        pipeline.load_trained(tmp_path / BEST)
    taught = recipe.changed(TINY, train={"teachers": (str(tmp_path / BEST),)})
    with pytest.raises(ArtifactError, match="float training"):
        pipeline.train(taught, prepared, tmp_path, quiet)


def test_another_set_of_labels_is_refused(trained, prepared):
    other = replace(prepared, labels=tuple(reversed(prepared.labels)))
    with pytest.raises(DataError, match="_silence_"):
        pipeline.quantize(pipeline.load_trained(trained / "float" / BEST, TINY), other, trained, quiet)


def test_fewer_clips_than_a_batch_still_train(prepared, tmp_path):
    big = recipe.changed(TINY, train={"epochs": 1, "batch": 4096})
    pipeline.train(big, prepared, tmp_path, quiet)
    assert "nan" not in (tmp_path / "float" / "log.csv").read_text()


def test_sources_are_the_modules_that_list_recordings(tmp_path):
    assert pipeline.sources() == plugins.names("sources")
    with pytest.raises(ConfigError, match=", ".join(plugins.names("sources"))):
        pipeline.prepare("augment", tmp_path, tmp_path, quiet)


def planned(folder, **quant):
    """The trained tiny network with another plan."""
    plan = recipe.changed(TINY, quant={**TINY.quant.model_dump(), "method": "ptq", **quant})
    return pipeline.load_trained(folder / "float" / BEST, plan)


def test_the_clips_of_calibration_are_listed_and_can_be_given_again(trained, prepared, tmp_path):
    first = pipeline.quantize(planned(trained), prepared, tmp_path / "a", quiet)
    listed = tmp_path / "a" / "calibration.txt"
    assert set(listed.read_text().split()) <= set(prepared.splits["train"].ids)
    again = pipeline.quantize(planned(trained, calibration_list=str(listed)), prepared, tmp_path / "b", quiet)
    assert io.digest(again) == io.digest(first)


@pytest.mark.parametrize(("split", "message"), [("test", "a test clip"), ("", "in no split")])
def test_calibration_takes_training_clips_only(trained, prepared, tmp_path, split, message):
    wrong = prepared.splits[split].ids[0] if split else "no/such.wav"
    path = tmp_path / "clips.txt"
    path.write_text(f"{prepared.splits['train'].ids[0]}\n{wrong}\n")
    with pytest.raises(DataError, match=message):
        pipeline.quantize(planned(trained, calibration_list=str(path)), prepared, tmp_path, quiet)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match="in no split"):
        pipeline.quantize(planned(trained, calibration_list=str(path)), prepared, tmp_path, quiet)


def test_an_empty_list_of_calibration_clips_is_refused(trained, prepared, tmp_path):
    (tmp_path / "clips.txt").write_text("\n")
    with pytest.raises(DataError, match="none"):
        pipeline.quantize(planned(trained, calibration_list=str(tmp_path / "clips.txt")), prepared, tmp_path, quiet)


@pytest.mark.parametrize("bits", [8, 4, 2])
def test_training_the_integers_at_every_width_changes_no_integer_when_lowered(trained, prepared, tmp_path, bits):
    loaded = planned(trained, method="qat", weight_bits=bits, layers={"fc": 8}, epochs=1)
    graph = pipeline.quantize(loaded, prepared, tmp_path, quiet)
    assert {node.weight_bits for node in graph.nodes if node.weight is not None} == {bits, 8}
    for split in pipeline.read_scores(tmp_path / "quantize.json")["scores"].values():
        assert set(split["differing_by_layer"]) == {node.name for node in graph.nodes}
        assert split["differing_integers"] == 0 and split["integers"] > 0


def test_a_teacher_changes_what_is_learned_and_is_part_of_the_run(trained, prepared, tmp_path):
    taught = recipe.changed(TINY, train={**TINY.train.model_dump(), "teachers": (str(trained / "float" / BEST),)})
    pipeline.train(taught, prepared, tmp_path, quiet)
    assert (tmp_path / "float" / BEST).read_bytes() != (trained / "float" / BEST).read_bytes()
    with pytest.raises(ArtifactError, match="another teachers"):
        pipeline.train(TINY, prepared, tmp_path, quiet)


def test_a_teacher_of_other_labels_is_refused(trained, prepared, tmp_path):
    taught = recipe.changed(TINY, train={**TINY.train.model_dump(), "teachers": (str(trained / "float" / BEST),)})
    other = replace(prepared, labels=tuple(reversed(prepared.labels)))
    with pytest.raises(DataError, match="the labels of the model"):
        pipeline.train(taught, other, tmp_path, quiet)


def test_formats_that_cannot_express_a_graph_are_named_and_the_others_written(tmp_path, random_features):
    exported = pipeline.export(random_dag(3, target="int8", bits=(8, 4)), tmp_path, random_features(8), quiet)
    assert "fixed-point" in exported.refused["onnx_tinpu"]
    assert {row.artifact for row in exported.results} == {"onnx_integer", "onnx_qdq", "tflite"}
    assert json.loads((tmp_path / "manifest.json").read_text())["refused"] == exported.refused
    assert (tmp_path / "c" / "model.c").exists() and not (tmp_path / "model.tinpu.onnx").exists()


def test_artifacts_of_an_earlier_graph_are_removed(tmp_path, random_features):
    pipeline.export(random_dag(3, weight_limit=63), tmp_path, random_features(2), quiet)
    (tmp_path / "mine.txt").write_text("kept")
    assert (tmp_path / "model.tinpu.onnx").exists()
    pipeline.export(random_dag(3, target="int8", bits=(8, 4)), tmp_path, random_features(2), quiet)
    assert not (tmp_path / "model.tinpu.onnx").exists() and (tmp_path / "mine.txt").exists()
    assert (tmp_path / "model.integer.onnx").exists()
