"""wav2vec 2.0 from a local folder: a tiny random encoder stands for the real one, in the same files."""

import json

import numpy as np
import pytest
import torch

from edgekws.curate import embed
from edgekws.curate.embed import hear_check
from edgekws.curate.embed.models import wav2vec2
from edgekws.errors import ArtifactError, ConfigError

transformers = pytest.importorskip("transformers")


def tiny(family, path):
    """A random encoder of that family, in the files of a real one."""
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 37}
    config = getattr(transformers, f"{family}Config")(**sizes, conv_dim=(32,) * 7, num_conv_pos_embeddings=16)
    getattr(transformers, f"{family}Model")(config).save_pretrained(path)
    transformers.Wav2Vec2FeatureExtractor(do_normalize=True).save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny("Wav2Vec2", tmp_path_factory.mktemp("wav2vec2"))


@pytest.mark.parametrize("family", ["Wav2Vec2", "Hubert", "WavLM", "Data2VecAudio"])
def test_it_follows_the_hear_api(family, tmp_path):
    assert hear_check.check_module("wav2vec2", str(tiny(family, tmp_path))) == []


def test_another_encoder_is_refused(tmp_path):
    config = transformers.BertConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, vocab_size=30
    )
    transformers.BertModel(config).save_pretrained(tmp_path)
    transformers.Wav2Vec2FeatureExtractor().save_pretrained(tmp_path)
    with pytest.raises(ArtifactError, match="a speech encoder like wav2vec"):
        embed.open_model(embed.ModelSpec("wav2vec2", str(tmp_path)))


@pytest.mark.slow
def test_a_run_writes_its_vectors(folder, words, tmp_path):
    request = embed.Request(words, tmp_path / "out", embed.ModelSpec("wav2vec2", str(folder)), workers=2)
    index = embed.run(request)
    assert index.clips == 12 and index.about["model"]["dimensions"] == 32
    assert len(index.about["model"]["weights_sha256"]) == 64


def test_vectors_are_the_mean_of_the_hidden_layer(folder):
    """Against transformers' own way, over audio padded by the same margins."""
    model = embed.open_model(embed.ModelSpec("wav2vec2", str(folder), {"layer": 1}))
    audio = np.random.default_rng(0).uniform(-0.3, 0.4, 16_000).astype(np.float32)
    extractor = transformers.AutoFeatureExtractor.from_pretrained(folder)
    given = extractor(audio, sampling_rate=16_000, return_tensors="pt").input_values
    encoder = transformers.AutoModel.from_pretrained(folder).eval()
    with torch.no_grad():
        states = encoder(torch.nn.functional.pad(given, (40, 40)), output_hidden_states=True).hidden_states
    assert np.allclose(model.scene(audio[None])[0], states[1].mean(dim=1)[0].numpy(), atol=1e-5)


def test_frames_are_20_ms_apart_and_centred(folder):
    model = embed.open_model(embed.ModelSpec("wav2vec2", str(folder))).network
    assert (model.field, model.hop) == (400, 320)
    vectors, times = wav2vec2.get_timestamp_embeddings(torch.rand(1, 16_000), model)
    assert vectors.shape == (1, 50, 32)
    assert times[0, :2].tolist() == [10, 30] and times[0, -1] == 990


@pytest.mark.parametrize("samples", [1, 100, 400])
def test_very_short_audio_has_a_frame(folder, samples):
    model = embed.open_model(embed.ModelSpec("wav2vec2", str(folder)))
    assert np.isfinite(model.scene(np.full((1, samples), 0.1, np.float32))).all()


def test_an_unknown_layer_is_refused(folder):
    with pytest.raises(ConfigError, match=r"should be -3\.\.2"):
        embed.open_model(embed.ModelSpec("wav2vec2", str(folder), {"layer": 3}))


def test_a_folder_without_weights_is_refused(folder, tmp_path):
    with pytest.raises(ConfigError, match="a folder with its weights"):
        embed.open_model(embed.ModelSpec("wav2vec2"))
    (tmp_path / "config.json").write_text((folder / "config.json").read_text())
    with pytest.raises(ArtifactError, match="preprocessor_config"):
        embed.open_model(embed.ModelSpec("wav2vec2", str(tmp_path)))
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({"sampling_rate": 16_000, "do_normalize": True}))
    with pytest.raises(ArtifactError, match="should hold a model of transformers"):
        embed.open_model(embed.ModelSpec("wav2vec2", str(tmp_path)))


def test_a_pickle_is_not_opened(folder, tmp_path):
    for name in ("config.json", "preprocessor_config.json"):
        (tmp_path / name).write_text((folder / name).read_text())
    torch.save({"x": torch.zeros(1)}, tmp_path / "pytorch_model.bin")
    with pytest.raises(ArtifactError):
        embed.open_model(embed.ModelSpec("wav2vec2", str(tmp_path)))
