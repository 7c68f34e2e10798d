"""Recipes: a wrong key is answered with the nearest one, a missing file by its name."""

import pytest

from edgekws import recipe
from edgekws.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nmae = 'a'", r"the key nmae is not known; did you mean name\? There are: augment, name, net"),
        ("[net]\nnme = 'a'", r"\[net\] the key nme is not known; did you mean name\?"),
        ("[train]\nepoch = 3", r"\[train\] the key epoch is not known; did you mean epochs\?"),
        ("[augment]\nshift = 3", r"\[augment\] the key shift is not known; did you mean shift_ms\?"),
        ("[quant]\nzzz = 3", r"\[quant\] the key zzz is not known\. There are: calibration, "),
        ("[quant.layers]\nfc = 7", r"quant\.layers\.fc: Input should be 8, 4 or 2\. Got: 7"),
        ("[quant]\nmethod = 'pqt'", r"quant\.method: Input should be 'ptq' or 'qat'\. Got: 'pqt'"),
        ("[net", "should be TOML"),
    ],
)
def test_a_wrong_key_or_value_is_named(tmp_path, text, expected):
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=expected) as caught:
        recipe.load(path)
    assert str(caught.value).startswith(f"{path}")


def test_a_missing_recipe_is_said_to_be_missing(tmp_path):
    with pytest.raises(ConfigError, match=f"there is no file {tmp_path / 'absent.toml'}; a recipe is expected there"):
        recipe.load(tmp_path / "absent.toml")
