import numpy as np

from edgekws.graph import interp, io


def test_round_trip(graph, random_features, tmp_path):
    io.save(graph, tmp_path / "g.npz")
    again = io.load(tmp_path / "g.npz")
    x = random_features()
    assert np.array_equal(interp.run(graph, x), interp.run(again, x))
    assert io.digest(graph) == io.digest(again)
