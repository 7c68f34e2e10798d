"""Training: a run that was killed continues exactly; other runs' checkpoints are refused."""

import numpy as np
import pytest
import torch

from edgekws.data.augment import AugmentSpec, augment_samples, mask_features
from edgekws.errors import ArtifactError, ConfigError
from edgekws.features import cache
from edgekws.features.spec import FeatureSpec
from edgekws.nets import dscnn
from edgekws.recipe import Recipe, TrainSection, load
from edgekws.training import batches, checkpoint, curves, loop, prior
from edgekws.training.task import Task

PLAN = TrainSection(epochs=3, batch=64, warmup_epochs=0.5)


@pytest.fixture(scope="module")
def task(prepared):
    return Task(prepared, cache.fit_spec(prepared, FeatureSpec()), AugmentSpec(), PLAN, seed=5)


def network():
    torch.manual_seed(5)
    return dscnn.build(12, channels=8, blocks=1)


def fit(task, folder, stop_after=None, header=None):
    def progress(done, total, figures):
        if stop_after and done == stop_after:
            raise KeyboardInterrupt

    model = network()
    loop.fit(model, task, folder, header or {"net": "tiny", "features": task.features.to_json()}, progress)
    return model


def test_a_stopped_run_continues_exactly(task, tmp_path):
    whole = fit(task, tmp_path / "whole")
    steps = len(task.dataset.splits["train"]) // PLAN.batch
    with pytest.raises(KeyboardInterrupt):
        fit(task, tmp_path / "stopped", stop_after=steps + 2)
    resumed = fit(task, tmp_path / "stopped")
    for (name, one), other in zip(whole.state_dict().items(), resumed.state_dict().values(), strict=True):
        assert torch.equal(one, other), name
    logs = [(tmp_path / run / curves.LOG).read_text().splitlines() for run in ("whole", "stopped")]
    assert [len(log) for log in logs] == [4, 4]


def test_a_finished_run_is_not_trained_again(task, tmp_path):
    fit(task, tmp_path)
    written = (tmp_path / checkpoint.LAST).stat().st_mtime_ns
    fit(task, tmp_path)
    assert (tmp_path / checkpoint.LAST).stat().st_mtime_ns == written


def test_a_checkpoint_of_another_recipe_is_refused(task, tmp_path):
    fit(task, tmp_path)
    with pytest.raises(ArtifactError, match="another net"):
        fit(task, tmp_path, header={"net": "other", "features": task.features.to_json()})


def test_a_checkpoint_of_another_network_is_refused(tmp_path):
    checkpoint.save(tmp_path / "c.safetensors", {"run": {}}, {"model": network().state_dict()})
    saved = checkpoint.load(tmp_path / "c.safetensors")
    with pytest.raises(ArtifactError, match=r"1\.weight of shape \(16, 1, 10, 4\)"):
        checkpoint.load_into(dscnn.build(12, channels=16), saved.groups["model"], tmp_path / "c.safetensors")


@pytest.mark.parametrize("damage", ["cut", "text", "missing"])
def test_a_damaged_checkpoint_is_refused(tmp_path, damage):
    path = tmp_path / "c.safetensors"
    if damage != "missing":
        checkpoint.save(path, {"run": {}}, {"model": network().state_dict()})
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2] if damage == "cut" else b"weights")
    with pytest.raises(ArtifactError, match="edgekws train"):
        checkpoint.load(path)


def test_a_checkpoint_of_another_version_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "VERSION", 0)
    checkpoint.save(tmp_path / "c.safetensors", {}, {"model": {}})
    monkeypatch.undo()
    with pytest.raises(ArtifactError, match="version 1"):
        checkpoint.load(tmp_path / "c.safetensors")


def test_augmentation_is_repeatable_moves_the_clip_and_keeps_its_shape(prepared):
    clips, spec = np.asarray(prepared.splits["train"].samples[:16]), AugmentSpec()
    one, same, other = (
        augment_samples(clips, prepared.noise, spec, 16_000, np.random.default_rng(s)) for s in (1, 1, 2)
    )
    assert one.shape == clips.shape and one.dtype == np.float32
    assert np.array_equal(one, same) and not np.array_equal(one, other)
    off = AugmentSpec(shift_ms=0, speed_percent=0, noise_volume=0, time_mask_frames=0, coefficient_mask=0)
    still = augment_samples(clips, prepared.noise, off, 16_000, np.random.default_rng(1))
    assert np.array_equal(still, clips.astype(np.float32) / 32_768)


def test_masks_blank_at_most_what_they_may():
    features = np.random.default_rng(0).normal(size=(50, 49, 10)).astype(np.float32)
    spec = AugmentSpec(time_mask_frames=5, coefficient_mask=2)
    changed = mask_features(features, spec, np.random.default_rng(1)) != features
    frames, coefficients = changed.all(axis=2).sum(axis=1), changed.all(axis=1).sum(axis=1)
    assert 0 < frames.max() <= 5 and 0 < coefficients.max() <= 2


def test_sampling_draws_rare_classes_more_often(prepared):
    split = prepared.splits["train"]
    share = np.bincount(split.labels) / len(split)
    rng = np.random.default_rng(0)
    drawn = np.bincount(split.labels[batches.draw(split, PLAN, 12, rng)], minlength=12) / len(split)
    assert drawn[-1] < share[-1] and drawn[:10].sum() > share[:10].sum()


def test_prior_correction_undoes_the_frequencies_of_training():
    model = network()
    before = model[-1].bias.detach().clone()
    plan = TrainSection(sampling_power=1.0, prior_correction=1.0)
    prior.correct_prior(model, [30] + [10] * 11, plan)
    moved = (before - model[-1].bias.detach()).exp()
    assert torch.allclose(moved, torch.tensor([30.0] + [10.0] * 11) / 140, atol=1e-4)
    with pytest.raises(ConfigError, match="linear"):
        prior.correct_prior(model[:-1], [10] * 12, plan)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[train]\nepoch = 3", "did you mean epochs"),
        ("[train]\nepochs = 0", "at least 1"),
        ("name = ", "TOML"),
        ("[quant]\nweight_bits = 3", "8"),
        (b"\xff\xfe", "TOML"),
    ],
)
def test_a_bad_recipe_names_the_key(tmp_path, text, message):
    (tmp_path / "r.toml").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigError, match=message):
        load(tmp_path / "r.toml")


def test_the_recipe_of_the_zoo_has_the_defaults_of_the_code(pytestconfig):
    recipe = load(pytestconfig.rootpath / "models" / "dscnn" / "recipe.toml")
    options = {"channels": 64, "blocks": 4, "dropout": 0.1}
    assert recipe == Recipe(net={"name": "dscnn", "options": options})
