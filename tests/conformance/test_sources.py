"""Every source of recordings refuses a folder without recordings, in words; what it lists is complete."""

import pytest

from edgekws import plugins
from edgekws.errors import DataError


@pytest.fixture(params=plugins.names("sources"))
def source(request):
    return plugins.load("sources", request.param)


def test_a_folder_that_is_missing_or_empty_is_refused(source, tmp_path):
    for root in (tmp_path / "missing", tmp_path):
        with pytest.raises(DataError) as caught:
            source.scan(root, 16_000)
        assert "should" in str(caught.value)
