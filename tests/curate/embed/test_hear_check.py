"""Each rule of the validator with a module that breaks it, and its message."""

import pytest

from edgekws.curate import embed
from edgekws.curate.embed import hear_check

NAN = "torch.full_like(features(audio), float('nan'))"
SCENE = ("    return features(audio)\n", "    return {}\n")
TIMES = "    return features(frames), times.expand(len(audio), -1).to(torch.float32)"


def scene(text):
    return SCENE[0], SCENE[1].format(text)


def times(text):
    return TIMES, f"    v, t = features(frames), times.expand(len(audio), -1).to(torch.float32)\n    return {text}"


WRONG = {
    "no-scene": (("get_scene_embeddings", "other"), "functions", "get_scene_embeddings is missing"),
    "no-times": (("get_timestamp_embeddings", "other"), "functions", "get_timestamp_embeddings is missing"),
    "no-load": (("load_model", "other"), "functions", "load_model is missing"),
    "import": (("import torch", "import torch, no_such_thing"), "import", "No module named 'no_such_thing'"),
    "syntax": (("class Net", "klass Net"), "import", "SyntaxError"),
    "load-arguments": (('model_file_path="", **options', ""), "load_model", "TypeError"),
    "load-fails": (("return Net()", "raise OSError('no weights')"), "load_model", "OSError: no weights"),
    "no-module": (("return Net()", "return 5"), "load_model", "torch.nn.Module, it returns int"),
    "rate-kind": (("sample_rate = 16000", "sample_rate = 16000.0"), "attributes", "an integer, it is 16000.0"),
    "rate-value": (("sample_rate = 16000", "sample_rate = 8000"), "attributes", "one of 16000, 22050, 32000"),
    "rate-missing": (("sample_rate = 16000", "pass"), "attributes", "should be an integer, it is None"),
    "scene-size": (("scene_embedding_size = 3", "scene_embedding_size = '3'"), "attributes", "it is '3'"),
    "times-size": (("timestamp_embedding_size = 3", "timestamp_embedding_size = 0"), "attributes", "it is 0"),
    "bool-size": (("timestamp_embedding_size = 3", "timestamp_embedding_size = True"), "attributes", "it is True"),
    "scene-fails": (scene("audio[5]"), "get_scene_embeddings", "on noise of shape [4, 43840] fails: IndexError"),
    "scene-numpy": (scene("features(audio).numpy()"), "get_scene_embeddings", "a float32 tensor [4, 3], it returns"),
    "scene-double": (scene("features(audio).double()"), "get_scene_embeddings", "it returns float64 [4, 3]"),
    "scene-shape": (scene("features(audio)[None]"), "get_scene_embeddings", "it returns float32 [1, 4, 3]"),
    "scene-width": (scene("features(audio)[:, :2]"), "get_scene_embeddings", "it returns float32 [4, 2]"),
    "scene-nan": (scene(NAN), "numbers", "NaN or infinity for noise"),
    "scene-silence": (scene("features(audio / audio.abs().max())"), "silence", "does it divide by the level"),
    "scene-random": (
        scene("features(audio) + torch.rand(1)"),
        "repeatable",
        "is dropout or another random step active",
    ),
    "scene-batch": (scene("features(audio) - features(audio).mean(0)"), "batches", "normalize over the batch"),
    "scene-changes": (scene("features(audio.mul_(0.5))"), "audio", "should work on a copy"),
    "times-fails": (times("v[9], t"), "get_timestamp_embeddings", "fails: IndexError"),
    "times-one": (times("v"), "get_timestamp_embeddings", "should return two tensors"),
    "times-dimensions": (times("v.flatten(1), t"), "get_timestamp_embeddings", "float32 tensor [2, t, 3], it returns"),
    "times-width": (times("v[:, :, :2], t"), "get_timestamp_embeddings", "[2, t, 3], it returns float32 [2, 107, 2]"),
    "times-double": (
        times("v, t.double()"),
        "get_timestamp_embeddings",
        "times, a float32 tensor [2, 107], it returns",
    ),
    "times-count": (times("v, t[:, 1:]"), "get_timestamp_embeddings", "[2, 107], it returns float32 [2, 106]"),
    "times-nan": (times("v / 0 * 0, t"), "numbers", "returns NaN or infinity for noise of 1.07 s"),
    "times-none": (times("v[:, :0], t[:, :0]"), "times", "no times for 1.07 s"),
    "times-differ": (times("v, t + torch.arange(2)[:, None]"), "times", "different times for clips of the same length"),
    "times-early": (times("v, t - 9"), "times", "should be 0 ms or later, it is -4.0 ms"),
    "times-late": (times("v, t + 9"), "times", "should be within the 1070 ms, it is 1074.0 ms"),
    "times-fall": (times("v, t.flip(1)"), "hop", "times should increase, they go from"),
    "times-seconds": (times("v, t / 1000 * torch.linspace(1, 900, t.shape[1])"), "hop", "constant within 1 ms"),
}
WARNED = {
    "gradients": (scene("features(audio) * torch.ones(3, requires_grad=True)"), "gradients", "torch.no_grad()"),
    "constant": (scene("features(audio) * 0"), "audio", "same embedding for different clips"),
    "hop": (times("v[:, ::6], t[:, ::6]"), "hop", "the hop is 60.0 ms; at most 50 ms"),
    "one": (times("v[:, :1], t[:, :1]"), "hop", "there is one time in 1070 ms"),
    "first": (times("v[:, 2:], t[:, 2:]"), "ends", "the first time is 25.0 ms, more than one hop of 10.0 ms"),
    "last": (times("v[:, :-2], t[:, :-2]"), "ends", "the last time is 1045.0 ms, more than one hop"),
}


def test_a_valid_module_has_no_findings(module):
    assert hear_check.check_module(module()) == []


@pytest.mark.parametrize("case", WRONG)
def test_errors_are_described(module, case):
    change, check, words = WRONG[case]
    errors = [each for each in hear_check.check_module(module(change)) if each.level == "error"]
    assert check in {each.check for each in errors}
    assert words in " ".join(each.text for each in errors)


@pytest.mark.parametrize("case", WARNED)
def test_warnings_are_not_errors(module, case):
    change, check, words = WARNED[case]
    (result,) = hear_check.check_module(module(change))
    assert (result.level, result.check) == ("warning", check)
    assert words in result.text


def test_one_broken_function_does_not_hide_the_other(module):
    result = hear_check.check_module(module(scene("audio[5]"), times("v")))
    assert {each.check for each in result} == {"get_scene_embeddings", "get_timestamp_embeddings"}


def test_a_tensorflow_module_is_refused_by_name(module):
    more = "\nclass Other:\n    pass\nOther.__module__ = 'tensorflow.python.module'\n"
    result = hear_check.check_module(module(("return Net()", "return Other()"), more=more))
    assert "TensorFlow module" in result[0].text


def test_an_unimportable_module_is_reported(tmp_path):
    assert f"There are: {', '.join(embed.names())}" in hear_check.check_module("no_such_module")[0].text
    assert "no such file" in hear_check.check_module(str(tmp_path / "absent.py"))[0].text
