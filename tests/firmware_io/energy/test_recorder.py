"""The recorder keeps all samples of a meter, whatever happens to the meter, the disk or the run."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest

from edgekws.errors import ArtifactError, BoardError
from firmware_io.energy.recorder import Recorder


class Meter:
    """Tells blocks of samples as fast as it is asked; then it is silent, or gone."""

    def __init__(self, blocks, edges=(), gone=False):
        self.blocks, self.waiting, self.gone = list(blocks), list(edges), gone
        self.told, self.stopped = 0, False

    def start(self, rate_hz):
        self.rate_hz = rate_hz

    def samples(self, timeout_s):
        if not self.blocks:
            if self.gone:
                raise BoardError("the meter should stay connected", got="it is gone")
            time.sleep(min(timeout_s, 0.01))
            return np.zeros(0)
        block = np.asarray(self.blocks.pop(0), np.float64)
        self.told += len(block)
        return block

    def edges(self):
        ready = tuple(edge for edge in self.waiting if edge < self.told)
        self.waiting = self.waiting[len(ready) :]
        return ready

    def stop(self):
        self.stopped = True
        self.blocks += [[0.5, 0.25]]


def recorder(meter, folder):
    return Recorder(meter, folder, "a meter", 1000.0, 3.0)


def test_all_samples_are_kept_including_those_after_the_stop(tmp_path):
    meter = Meter([[1, 2], [3], [4, 5]], edges=(0, 3))
    with recorder(meter, tmp_path) as running:
        assert running.take_edges(2, 5.0) == (0, 3)
    running.check()
    trace = running.trace()
    assert meter.stopped and trace.joules.tolist() == [1, 2, 3, 4, 5, 0.5, 0.25]
    assert (trace.edges, trace.rate_hz, trace.volts, trace.meter) == ((0, 3), 1000.0, 3.0, "a meter")
    sidecar = json.loads((tmp_path / "energy.json").read_text())
    assert sidecar["samples"] == 7 and sidecar["edges"] == [0, 3] and sidecar["complete"]


def test_each_edge_is_returned_once_and_waiting_ends(tmp_path):
    with recorder(Meter([[1] * 10], edges=(2, 5)), tmp_path) as running:
        assert running.take_edges(2, 5.0) == (2, 5)
        assert running.take_edges(1, 0.05) == ()


def test_samples_before_a_meter_is_unplugged_are_kept(tmp_path):
    with recorder(Meter([[1, 2, 3]], edges=(1,), gone=True), tmp_path) as running, pytest.raises(BoardError):
        for _ in range(500):
            running.take_edges(5, 0.01)
    trace = running.trace()
    assert trace.joules.tolist() == [1, 2, 3] and trace.edges == (1,)
    assert np.fromfile(tmp_path / "energy.f32", "<f4").tolist() == [1, 2, 3]
    assert not json.loads((tmp_path / "energy.json").read_text())["complete"]


def test_a_silent_meter_is_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr("firmware_io.energy.recorder._SILENCE_S", 0.1)
    with recorder(Meter([[1]]), tmp_path) as running, pytest.raises(BoardError, match="silence"):
        running.take_edges(1, 5.0)


def test_a_full_disk_is_one_paragraph(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "firmware_io.energy.recorder.Recorder._keep", lambda *_: (_ for _ in ()).throw(OSError(28, "full"))
    )
    with (
        recorder(Meter([[1]]), tmp_path) as running,
        pytest.raises(ArtifactError, match=r"could not be written.*free some space"),
    ):
        running.take_edges(1, 5.0)


def test_a_folder_that_cannot_be_written_is_one_paragraph_before_the_meter_starts(tmp_path):
    (tmp_path / "file").write_text("no folder")
    meter = Meter([[1]])
    with pytest.raises(ArtifactError, match="file is not a folder"), recorder(meter, tmp_path / "file" / "below"):
        pass
    assert not hasattr(meter, "rate_hz")


def test_a_meter_that_does_not_stop_is_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr("firmware_io.energy.recorder._STOP_S", 0.1)
    meter = Meter([])
    monkeypatch.setattr(meter, "samples", lambda timeout_s: time.sleep(0.01) or np.ones(10))
    with recorder(meter, tmp_path) as running:
        running.take_edges(1, 0.05)
    with pytest.raises(BoardError, match="should stop"):
        running.check()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_sample_that_is_not_a_number_is_refused(tmp_path, value):
    with recorder(Meter([[1, 2], [3, value]]), tmp_path) as running, pytest.raises(BoardError, match="at sample 3"):
        running.take_edges(1, 5.0)
    assert running.trace().joules.tolist() == [1, 2]


def test_an_error_of_a_vendors_package_reaches_the_run(tmp_path, monkeypatch):
    monkeypatch.setattr(Meter, "edges", lambda meter: {}["no such channel"])
    with recorder(Meter([[1]]), tmp_path) as running, pytest.raises(BoardError, match=r"KeyError: .*no such channel"):
        running.take_edges(1, 5.0)


def test_an_old_trace_is_replaced(tmp_path):
    (tmp_path / "energy.f32").write_bytes(b"\1" * 4000)
    with recorder(Meter([[7]]), tmp_path):
        pass
    assert np.fromfile(tmp_path / "energy.f32", "<f4").tolist() == [7, 0.5, 0.25]
