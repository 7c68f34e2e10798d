"""The built-in models: what their vectors are."""

from pathlib import Path

import numpy as np
import pytest
import torch

from edgekws.curate import embed
from edgekws.curate.embed import windows as _windows
from edgekws.curate.embed.models import dscnn, logmel
from edgekws.errors import ArtifactError, ConfigError
from edgekws.features.mfcc import mfcc, quantize
from edgekws.graph import interp, io
from edgekws.graph.ir import INPUT

GRAPHS = [*sorted(Path("models").glob("*/graph.npz")), Path("models/dscnn/graph-w2-qat.npz")]


@pytest.fixture(scope="module")
def audio():
    levels = np.linspace(0.05, 1, 12)[:, None]
    return (np.random.default_rng(0).uniform(-1, 1, (12, 16_000)) * levels).astype(np.float32)


def penultimate(path, audio):
    """By the interpreter and nothing else: the integers that the last layer sees, times their scale."""
    graph = io.load(path)
    features = quantize(graph.features, mfcc(graph.features, audio))
    values = {INPUT: None}
    for node, batch in interp.trace(graph, interp.as_input(graph, features)):
        values[node.name] = (batch, node.out_scale)
    batch, scale = values[graph.nodes[-1].inputs[0]]
    return batch.reshape(len(audio), -1).astype(np.float32) * np.float32(scale)


SOME = [pytest.param(path, marks=[pytest.mark.slow] if path.parent.name != "dscnn" else []) for path in GRAPHS]


@pytest.mark.parametrize("path", SOME, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_dscnn_vectors_are_the_integers_before_the_last_layer(path, audio):
    model = embed.open_model(embed.ModelSpec("dscnn", str(path)))
    expected = penultimate(path, audio)
    assert (model.scene(audio) == expected).all()
    assert len(np.unique(expected)) > 20  # not all of it is zero, or clipped


@pytest.mark.parametrize("unsigned", [True, False])
def test_a_layer_of_either_range_passes_unchanged(graph, random_features, unsigned):
    from dataclasses import replace

    pool = graph.nodes[-2]
    lo, hi = (0, 255) if unsigned else (-128, 127)
    graph = replace(
        graph, nodes=(*graph.nodes[:-2], replace(pool, requant=replace(pool.requant, lo=lo, hi=hi)), graph.nodes[-1])
    )
    body = dscnn.body(graph)
    body.check()
    features = random_features(16)
    traced = {node.name: batch for node, batch in interp.trace(graph, interp.as_input(graph, features))}
    expected = traced[pool.name].reshape(16, -1)
    assert (interp.run(body, features).astype(int) + 128 * unsigned == expected).all()


def test_a_network_without_a_last_linear_layer_is_refused(graph):
    from dataclasses import replace

    with pytest.raises(ArtifactError, match="should end in a linear layer"):
        dscnn.body(replace(graph, nodes=graph.nodes[:-1]))


def test_longer_audio_is_the_mean_of_windows(audio):
    model = embed.open_model(embed.ModelSpec("dscnn"))
    long = audio[:2].reshape(1, -1)
    windows = [long[:, start : start + 16_000] for start in (0, 8_000, 16_000)]
    assert np.allclose(model.scene(long), np.mean([model.scene(each) for each in windows], axis=0), rtol=1e-6)


def test_a_timestamp_covers_the_second_around_it(audio):
    model = embed.open_model(embed.ModelSpec("dscnn"))
    clip = torch.from_numpy(np.pad(audio[:1], ((0, 0), (8_000, 8_000))))
    vectors, times = dscnn.get_timestamp_embeddings(clip, model.network)
    middle = int((times[0] == 1_000).nonzero()[0, 0])
    assert (vectors[0, middle].numpy() == model.scene(audio[:1])[0]).all()


def test_windows_cover_a_clip_to_its_end():
    audio = torch.arange(10.0)[None]
    assert _windows.cover(audio, 4, 4)[0].tolist() == [[0, 1, 2, 3], [4, 5, 6, 7], [6, 7, 8, 9]]
    assert _windows.cover(audio, 12, 4)[0].tolist() == [[*range(10), 0, 0]]
    assert _windows.cover(audio, 10, 4)[0].tolist() == [[*range(10)]]
    assert _windows.centred(audio, 4, 5)[0].tolist() == [[0, 0, 0, 1], [3, 4, 5, 6], [8, 9, 0, 0]]


def test_log_mel_does_not_depend_on_the_level(audio):
    model = embed.open_model(embed.ModelSpec("logmel"))
    loud = model.scene(audio)
    assert np.allclose(model.scene(audio * 0.25), loud, atol=1e-5)


def test_log_mel_locates_the_band_of_a_tone():
    model = embed.open_model(embed.ModelSpec("logmel", options={"bands": 20}))
    assert model.dimensions == 180
    time = np.arange(16_000) / 16_000
    low, high = (np.sin(2 * np.pi * hz * time).astype(np.float32) for hz in (300, 5_000))
    both = np.concatenate([low[:8_000], high[8_000:]])[None]
    stretches = model.scene(both)[0].reshape(logmel.STRETCHES + 1, 20)
    assert stretches[1].argmax() < 5 and stretches[6].argmax() > 13


def test_log_mel_has_no_weights():
    with pytest.raises(ConfigError, match="no weights"):
        embed.open_model(embed.ModelSpec("logmel", "weights.pt"))


def test_a_file_that_is_no_graph_is_refused(tmp_path):
    (tmp_path / "graph.npz").write_bytes(b"no graph")
    with pytest.raises(ArtifactError):
        embed.open_model(embed.ModelSpec("dscnn", str(tmp_path / "graph.npz")))
