"""The same bytes from a cluster (here: of one computer) as from this process."""

import pytest

from edgekws import embed
from edgekws.embed import _runner

pytest.importorskip("ray")
pytest.importorskip("edgekws.scale.engines")


def contents(out):
    return {path.name: path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Ray's own
def test_ray_writes_the_same_bytes(words, tmp_path, monkeypatch):
    monkeypatch.setattr(_runner, "SHARD_CLIPS", 2)
    for engine, workers in (("process", 1), ("ray", 2)):
        request = embed.Request(words, tmp_path / engine, embed.ModelSpec("logmel"), workers=workers, engine=engine)
        assert embed.run(request).clips == 12
    assert contents(tmp_path / "process") == contents(tmp_path / "ray")
