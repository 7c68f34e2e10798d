"""Slots: the same weights for any number of processes, and after a change of it; refusals in one paragraph."""

import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from edgekws import machine, pipeline
from edgekws.cli import console
from edgekws.data import dataset
from edgekws.errors import ConfigError
from edgekws.recipe import Recipe, TrainSection, changed
from edgekws.training import checkpoint, processes, slots
from edgekws.training.batches import Part

ROOT = Path(__file__).resolve().parents[2]
RECIPE = Recipe.model_validate(
    {
        "seed": 3,
        "net": {"options": {"channels": 8, "blocks": 1}},
        "train": {"epochs": 2, "batch": 48, "warmup_epochs": 0.5, "slots": 3},
        "augment": {"mix_probability": 0.5},
    }
)
CLIPS = 96


def small(folder):
    """A part of a prepared data set."""
    whole = dataset.load(folder)
    parts = {
        name: replace(
            split, samples=split.samples[:CLIPS], labels=split.labels[:CLIPS], ids=split.ids[:CLIPS],
            speakers=split.speakers[:CLIPS], sha256=f"{CLIPS} of {split.sha256}",
        )
        for name, split in whole.splits.items()
    }  # fmt: skip
    return replace(whole, splits=parts)


def train(data, out, stop_after=None):
    def progress(what, done, _total):
        if stop_after and what.startswith("train") and done == stop_after:
            raise KeyboardInterrupt

    return pipeline.train(RECIPE, data, out, progress)


def second_process(folder, out):
    """What rank 1 of `test_the_bytes_do_not_depend_on_the_number_of_processes` runs."""
    train(small(Path(folder)), Path(out))


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def test_the_bytes_do_not_depend_on_the_number_of_processes(prepared, tmp_path, monkeypatch):
    """One process; and one that is stopped in the second epoch, continued by two, which have one and two slots."""
    data = small(prepared.folder)
    alone = train(data, tmp_path / "alone").read_bytes()
    with pytest.raises(KeyboardInterrupt):
        train(data, tmp_path / "stopped", stop_after=3)
    monkeypatch.setattr(processes, "TIMEOUT", timedelta(minutes=5))
    for name, value in {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    code = "import sys; from tests.training.test_slots import second_process; second_process(*sys.argv[1:])"
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(prepared.folder), str(tmp_path / "stopped")],
        cwd=ROOT,
        env={**os.environ, "RANK": "1", "LOCAL_RANK": "1", "OMP_NUM_THREADS": "1"},
    )
    monkeypatch.setenv("RANK", "0")
    try:
        together = train(data, tmp_path / "stopped")
        assert other.wait(300) == 0
    finally:
        other.kill()
        other.wait()
    assert together.read_bytes() == alone
    assert checkpoint.load(together).header["run"]["recipe"]["train"]["slots"] == 3


def gradients(model, parts):
    engine = slots.Slots(model, len(parts), processes.ALONE, seed=0)
    loss = engine.backward(parts, lambda inputs, labels: nn.functional.cross_entropy(model(inputs), labels), step=0)
    return loss, [parameter.grad.clone() for parameter in model.parameters()]


def test_the_loss_is_normalized_by_the_whole_batch():
    model, inputs, labels = nn.Linear(5, 3), torch.randn(8, 5), torch.arange(8) % 3
    whole = nn.functional.cross_entropy(model(inputs), labels)
    expected = torch.autograd.grad(whole, list(model.parameters()))
    cuts = [slice(0, 3), slice(3, 5), slice(5, 8)]
    loss, got = gradients(model, [Part(inputs[cut], labels[cut], (cut.stop - cut.start) / 8) for cut in cuts])
    assert torch.allclose(loss, whole, atol=1e-6)
    assert all(torch.allclose(one, other, atol=1e-6) for one, other in zip(got, expected, strict=True))


def test_running_statistics_are_the_mean_of_the_slots_and_count_one_step():
    model = nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 3))
    model.register_buffer("constant", torch.tensor([1 / 3], dtype=torch.float64))
    halves, labels = torch.randn(2, 6, 4), torch.arange(6) % 3
    gradients(model, [Part(half, labels, 0.5) for half in halves])
    merged = torch.stack([0.9 * torch.zeros(4) + 0.1 * half.mean(0) for half in halves]).mean(0)
    assert torch.allclose(model[0].running_mean, merged, atol=1e-7)
    assert model[0].num_batches_tracked == 1
    assert model.constant.item() == 1 / 3


def test_dropout_depends_on_step_and_slot_only():
    seeds = {slots._seed_of(seed, step, slot) for seed in range(3) for step in range(3) for slot in range(3)}
    assert len(seeds) == 27 and slots._seed_of(1, 2, 0) == slots._seed_of(1, 2, 0)


def test_several_processes_get_four_or_eight_slots_and_each_needs_one(tmp_path):
    plan = TrainSection(batch=128)
    assert slots.planned(plan, 1).slots is None
    assert [slots.planned(plan, count).slots for count in (2, 4, 5, 8)] == [4, 4, 8, 8]
    assert slots.planned(TrainSection(batch=100), 2).slots == 4
    with pytest.raises(ConfigError, match="9 processes, 8 slots"):
        slots.planned(plan, 9)


@pytest.mark.parametrize(
    ("began", "given", "count", "expected"), [(4, None, 1, 4), (4, 2, 1, 2), (None, None, 1, None)]
)
def test_a_training_keeps_the_slots_it_began_with(tmp_path, began, given, count, expected):
    recipe = {"train": TrainSection(slots=began).model_dump()}
    checkpoint.save(tmp_path / checkpoint.LAST, {"run": {"recipe": recipe}}, {})
    assert slots.continued(TrainSection(slots=given), tmp_path, count).slots == expected


def test_a_training_without_slots_does_not_go_on_in_several_processes(tmp_path):
    checkpoint.save(tmp_path / checkpoint.LAST, {"run": {"recipe": {"train": {}}}}, {})
    with pytest.raises(ConfigError, match=r"should have slots, to run in 2 processes\. .*without torchrun"):
        slots.continued(TrainSection(), tmp_path, 2)


def test_slots_divide_the_batch_and_are_left_out_of_files_without_them():
    with pytest.raises(ConfigError, match=r"train\.slots should divide the batch of 128 clips"):
        changed(Recipe(), train={"slots": 3})
    assert not {"slots", "precision"} & Recipe().to_json()["train"].keys()
    assert changed(Recipe(), train={"slots": 4}).to_json()["train"]["slots"] == 4


@pytest.mark.parametrize("given", [("0", "0", "0"), ("2", "2", "0"), ("x", "2", "0"), ("0", "2", "-1")])
def test_a_place_that_torchrun_would_not_give_is_refused(monkeypatch, given):
    for name, value in zip(("RANK", "WORLD_SIZE", "LOCAL_RANK"), given, strict=True):
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match="start the command with torchrun"):
        machine.place()


def test_processes_without_an_address_are_refused(monkeypatch):
    for name, value in {"RANK": "1", "WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    with pytest.raises(ConfigError, match="MASTER_ADDR"), processes.joined(processes.CPU):
        pass


@pytest.mark.parametrize(
    ("rank", "local", "quiet"), [(0, 0, (False, False)), (1, 1, (True, True)), (2, 0, (True, False))]
)
def test_one_process_prints_and_each_computer_shows_an_error_once(monkeypatch, rank, local, quiet):
    for name, value in {"RANK": rank, "WORLD_SIZE": 3, "LOCAL_RANK": local}.items():
        monkeypatch.setenv(name, str(value))
    for one in (console.out, console.err):
        monkeypatch.setattr(one, "quiet", False)
    console.speak_once()
    assert (console.out.quiet, console.err.quiet) == quiet


@pytest.mark.parametrize("total", range(1, 6))
def test_each_number_belongs_to_one_process(total):
    shares = [processes.Group(rank=rank, count=3).share(total) for rank in range(3)]
    assert np.concatenate([list(share) for share in shares]).tolist() == list(range(total))


LONG = """
seed = 3
[net]
options = { channels = 8, blocks = 1 }
[train]
epochs = 3
batch = 64
slots = 4
[quant]
epochs = 1
weight_bits = 4
calibration_clips = 64
"""


def command(count, *words):
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(count)]
    return [sys.executable, *(torchrun if count else []), "-m", "edgekws", *map(str, words)]


def run(count, *words):
    return subprocess.run(command(count, *words), cwd=ROOT, capture_output=True, text=True, timeout=900, check=False)


@pytest.fixture(scope="module")
def recipe_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("recipe") / "recipe.toml"
    path.write_text(LONG)
    return path


@pytest.fixture(scope="module")
def alone(prepared, recipe_file, tmp_path_factory):
    """A model trained and quantized by one process."""
    out = tmp_path_factory.mktemp("alone")
    for step in ("train", "quantize"):
        assert run(0, step, "--recipe", recipe_file, "--data", prepared.folder, "--out", out).returncode == 0
    return out


def written(out):
    return {p.relative_to(out): p.read_bytes() for p in (*out.rglob("best.safetensors"), out / "graph.npz")}


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 3, 4])
def test_torchrun_gives_the_same_bytes_and_speaks_once(alone, prepared, recipe_file, tmp_path, count):
    for step, said in (("train", "trained:"), ("quantize", "accuracy on")):
        done = run(count, step, "--recipe", recipe_file, "--data", prepared.folder, "--out", tmp_path)
        assert done.returncode == 0, done.stderr
        assert done.stdout.count(said) == 1
    assert written(tmp_path) == written(alone)


def children(pid):
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("victim", [0, 1])
def test_a_killed_process_ends_all_and_another_number_continues(alone, prepared, recipe_file, tmp_path, number, victim):
    words = ("train", "--recipe", recipe_file, "--data", prepared.folder, "--out", tmp_path)
    started = subprocess.Popen(command(2, *words), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    last = tmp_path / "float" / checkpoint.LAST
    while not last.exists():
        assert started.poll() is None
        time.sleep(0.02)
    time.sleep(0.3)  # into the second epoch
    os.kill(children(started.pid)[victim], number)
    assert started.wait(120) != 0
    assert checkpoint.load(last).header["epoch"] < 2
    done = run(4 if victim else 0, *words)
    assert done.returncode == 0, done.stderr
    best = Path("float") / checkpoint.BEST
    assert (tmp_path / best).read_bytes() == (alone / best).read_bytes()


@pytest.mark.slow
def test_an_error_of_all_processes_is_printed_once(tmp_path):
    done = run(2, "train", "--data", tmp_path / "nowhere", "--out", tmp_path)
    assert done.returncode != 0 and done.stderr.count("should be a prepared data set") == 1
