"""Recipes: a wrong key is answered with the nearest one, a missing file by its name."""

from pathlib import Path

import pytest

from edgekws import recipe
from edgekws.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nmae = 'a'", r"the key nmae is not known; did you mean name\? There are: augment, features, name, net"),
        ("[net]\nnme = 'a'", r"\[net\] the key nme is not known; did you mean name\?"),
        ("[train]\nepoch = 3", r"\[train\] the key epoch is not known; did you mean epochs\?"),
        ("[augment]\nshift = 3", r"\[augment\] the key shift is not known; did you mean shift_ms\?"),
        ("[quant]\nzzz = 3", r"\[quant\] the key zzz is not known\. There are: calibration, "),
        ("[quant.layers]\nfc = 7", r"quant\.layers\.fc should be 8, 4 or 2\. Got: 7"),
        ("[quant]\nmethod = 'pqt'", r"quant\.method pqt is not known; did you mean ptq\? There are: ptq, qat"),
        ("[net", "should be TOML"),
        ("name = 'a'\nseed = = 3", r"should be TOML\. Got: .*line 2"),
        ("[train]\nepochs = 'three'", r"train\.epochs should be a whole number\. Got: 'three'"),
        ("[train]\nepochs = 0", r"train\.epochs should be at least 1\. Got: 0"),
        ("[train]\nlearning_rate = 'fast'\nbatch = 'x'", r"batch should be a whole number.* 1 other value is wrong"),
        ("name = 3", r"name should be text\. Got: 3"),
        ("train = 3", r"train should be a section with keys\. Got: 3"),
        ("[augment]\nspeed_percent = 99", r"augment\.speed_percent should be at most 50"),
        ("[net]\nname = 'dscn'", r"name dscn is not known; did you mean dscnn\?"),
        ("[net]\noptions = { chanels = 3 }", r"net\.options: the option chanels is not known; did you mean channels"),
        ("[quant]\ntarget = 'tinpuu'", r"target tinpuu is not known; did you mean tinpu\?"),
        ("[quant]\ncalibration_list = 'no.txt'", r"quant\.calibration_list should name a file\. Got: no\.txt"),
        ("[train]\nteachers = ['no.safetensors']", r"train\.teachers should name a file\. Got: no\.safetensors"),
    ],
)
def test_a_wrong_key_or_value_is_named(tmp_path, text, expected):
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=expected) as caught:
        recipe.load(path)
    assert text.startswith(("[net]\nname", "[quant]\ntarget")) or str(caught.value).startswith(f"{path}")


def test_a_missing_recipe_is_said_to_be_missing(tmp_path):
    with pytest.raises(ConfigError, match=f"there is no file {tmp_path / 'absent.toml'}; a recipe is expected there"):
        recipe.load(tmp_path / "absent.toml")


def test_a_misspelled_released_model_is_guessed():
    with pytest.raises(ConfigError, match=r"no file dscn; a recipe .* did you mean dscnn, a released recipe"):
        recipe.load(Path("dscn"))


def test_options_are_named_as_they_are_typed():
    with pytest.raises(ConfigError, match=r"^--layer fc should be 8, 4 or 2. Got: 9"):
        recipe.changed(recipe.Recipe(), {"quant.layers": "--layer"}, quant={"layers": {"fc": 9}})


def test_a_recipe_of_notepad_is_read(tmp_path):
    """It writes a byte order mark."""
    (tmp_path / "r.toml").write_text("name = 'größe'", encoding="utf-8-sig")
    assert recipe.load(tmp_path / "r.toml").name == "größe"
