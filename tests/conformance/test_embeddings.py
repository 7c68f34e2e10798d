"""Every embedding model follows the HEAR API, without a finding."""

import pytest

from edgekws import plugins
from edgekws.curate import embed
from edgekws.curate.embed.hear_check import check_module
from edgekws.errors import ConfigError


@pytest.mark.parametrize("name", plugins.names("embeddings"))
def test_follows_the_hear_api(name):
    try:
        embed.open_model(embed.ModelSpec(name))
    except ConfigError as error:  # needs weights of its own: tests/curate/embed makes some
        pytest.skip(str(error))
    assert check_module(name) == []
