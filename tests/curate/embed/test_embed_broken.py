"""Modules that fail, exit, or return subtly wrong values: a run and a check report it."""

from dataclasses import replace

import pytest

from edgekws.curate import embed
from edgekws.curate.embed import hear_check
from edgekws.errors import ConfigError

SCENE = "return features(audio)\n"
BROKEN = {
    "numpy": (SCENE, "return features(audio).numpy()\n", "numpy.ndarray of float32"),
    "none": (SCENE, "return None\n", "NoneType"),
    "exit": (SCENE, "import sys; sys.exit(3)\n", "SystemExit: 3"),
    "exit-load": ("return Net()", "import sys; sys.exit(3)", "SystemExit: 3"),
    "exit-import": ("import torch", "import torch, sys; sys.exit(3)", "SystemExit: 3"),
    "half": (SCENE, "return features(audio).half()\n", "float16"),
    "meta": (SCENE, "return features(audio).to('meta')\n", "meta"),
    "sparse": (SCENE, "return features(audio).to_sparse()\n", "parse"),
    "mute": (
        SCENE,
        "\n    class E(Exception):\n        def __str__(self): raise ValueError\n    raise E()\n",
        "E: no message",
    ),
    "endless": (SCENE, "return get_scene_embeddings(audio, model)\n", "RecursionError"),
    "rate": ("sample_rate = 16000", "sample_rate = 10**12", "1000000000000"),
    "size": ("scene_embedding_size = 3", "scene_embedding_size = True", "True"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_run_and_a_check_report_broken_modules(words, module, tmp_path, name):
    old, new, message = BROKEN[name]
    spec = embed.ModelSpec(module((old, new), name=name.replace("-", "_")))
    with pytest.raises(ConfigError) as caught:
        embed.run(embed.Request(words, tmp_path / "out", spec, workers=1))
    assert message in str(caught.value)
    errors = [each.text for each in hear_check.check_module(spec.name) if each.level == "error"]
    assert any(message in text for text in errors)


def test_an_unknown_device_is_refused(words, module, tmp_path):
    request = embed.Request(words, tmp_path / "out", embed.ModelSpec(module(), device="nonsense"))
    with pytest.raises(ConfigError, match="device nonsense of"):
        embed.run(request)
    assert embed.run(replace(request, model=embed.ModelSpec(module()), workers=1)).clips == 12
