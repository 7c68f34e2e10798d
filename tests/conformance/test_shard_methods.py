"""Every method of shards gives distinct clips, the same ones however the shards are cut."""

import pytest

from edgekws import plugins
from edgekws.curate.shards import select
from tests.curate.shards.clips import SMALL, clips, shard


@pytest.mark.parametrize("name", plugins.names("shard_methods"))
def test_gives_distinct_clips_whatever_the_shards(name, tmp_path):
    ids, vectors = clips()
    results = []
    for shards in (1, 3):
        folder = shard(tmp_path / str(shards), ids, vectors, shards)
        results.append(select(folder, name, 9, 0, work=tmp_path / f"work{shards}", workers=1, layout=SMALL))
    assert len(set(results[0].ids)) == 9 and set(results[0].ids) <= set(ids)
    assert results[0].ids == results[1].ids
