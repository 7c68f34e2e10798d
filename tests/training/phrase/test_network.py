"""One pass over a scene gives the scores of each of its windows; the loss wants the phrase where it ends."""

import numpy as np
import torch

from edgekws.features.spec import FeatureSpec
from edgekws.training.phrase import fit, network
from edgekws.training.phrase.loss import UNKNOWN, WORD, Batch, loss

SPEC = FeatureSpec(clip_samples=480 + 320 * 73, level="stream")
ROWS = 25


def test_the_windows_of_a_scene_have_their_scores():
    torch.manual_seed(0)
    net = network.build(3).eval()
    scene = torch.randn(1, 1, network.frames_of(ROWS) + 8, 10)
    with torch.no_grad():
        together = network.logits(net, scene, ROWS)[0]
        windows = [net(scene[:, :, start : start + SPEC.frames])[0] for start in range(0, 9, network.STRIDE)]
    assert together.shape == (3, 5)
    assert torch.allclose(together.T, torch.stack(windows), atol=1e-5)


def batch(first, last, is_phrase):
    truth = torch.tensor([WORD if is_phrase else UNKNOWN])
    return Batch(torch.zeros(1), torch.tensor([first]), torch.tensor([last]), truth, torch.zeros(1))


def scores(high):
    """The phrase at the steps `high` of 20, else unknown."""
    values = torch.tensor([[[0.0], [6.0], [0.0]]]).repeat(1, 1, 20)
    values[0, WORD, high] = 12.0
    return values


def test_a_detection_counts_from_the_end_of_the_phrase_on():
    in_time = loss(scores([10, 11]), batch(10, 14, True), 2)
    early = loss(scores([4, 5]), batch(10, 14, True), 2)
    assert in_time < 0.1 < 3 < early


def test_one_false_peak_costs_more_than_none():
    assert loss(scores([3, 4]), batch(-1, -1, False), 2) > 1
    assert loss(scores([]), batch(-1, -1, False), 2) < 0.1


def test_the_end_of_the_phrase_is_a_step_of_the_scene():
    plan = fit.Plan(pool_rows=ROWS, smoothing=1)
    ends = np.array([-1, SPEC.clip_samples, SPEC.clip_samples + 6400])
    first, last = fit._allowed(ends, 0, SPEC, plan)
    assert first.tolist() == [-1, 1, 11]
    assert last.tolist() == [-1, 8, 18]


def pools():
    rng, frames = np.random.default_rng(0), SPEC.frames + 48
    noise = {kind: rng.integers(-40, 40, (8, frames, 10)).astype(np.int8) for kind in ("near", "speech", "noise")}
    word = rng.integers(-40, 40, (8, frames, 10)).astype(np.int8)
    word[:, 70:90] += 60
    scenes = {kind: fit.Scenes(inputs, np.full(8, -1)) for kind, inputs in noise.items()}
    scenes["phrase"] = fit.Scenes(word, np.full(8, 320 * 90))
    return fit.Pools(scenes, [rng.integers(-40, 40, (300, 10)).astype(np.int8)])


def test_an_interrupted_training_ends_with_the_same_weights(tmp_path):
    plan = fit.Plan(steps=3, batch=4, pool_rows=ROWS)
    results = []
    for name, stops in (("whole", ()), ("parts", (2,))):
        for steps in (*stops, plan.steps):
            torch.manual_seed(1)
            net = network.build(3)

            def stop(done, total, figures, steps=steps):
                if done == steps and steps < total:
                    raise KeyboardInterrupt

            try:
                results.append(fit.fit(net, pools(), SPEC, plan, tmp_path / name, {"a": 1}, stop))
            except KeyboardInterrupt:
                continue
    one, two = (result.state_dict() for result in results)
    assert all(torch.equal(one[key], two[key]) for key in one)
