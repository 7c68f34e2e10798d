"""The page's server without a browser: what it answers, whom it refuses, and decisions that survive."""

import http.client
import io
import json
import threading

import numpy as np
import pytest
import soundfile

from edgekws.curate.clean import rank
from edgekws.curate.clean.probe import ProbePlan
from edgekws.curate.clean.review import Review, waveform
from edgekws.curate.clean.server import serve
from edgekws.data import decisions
from edgekws.errors import ArtifactError, ConfigError, DataError
from tests.curate.clean.conftest import clips_of


@pytest.fixture(scope="module")
def ranked(spoken):
    samples, labels = spoken[0][:60].copy(), spoken[1][:60].copy()
    samples[7] = 0
    labels[[12, 21]] = 3, 0
    clips = clips_of(samples, labels)
    return clips, rank.rank(clips, ProbePlan("linear"), lambda *_: None)


@pytest.fixture
def running(ranked, tmp_path):
    """(ask(method, path, body, headers) -> (status, headers, content), decisions.json)."""
    path = tmp_path / "decisions.json"
    with serve(Review(*ranked, path), 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        port = server.server_address[1]

        def ask(method, where, body=None, **headers):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            try:
                content = json.dumps(body) if body is not None and not isinstance(body, bytes | str) else body
                usual = {"Content-Type": "application/json"} if body is not None else {}
                named = {name.replace("_", "-"): value for name, value in headers.items()}
                connection.request(method, where, content, {**usual, **named})
                answer = connection.getresponse()
                return answer.status, answer.headers, answer.read()
            finally:
                connection.close()

        ask.port = port
        try:
            yield ask, path
        finally:
            server.shutdown()
            thread.join()


def read(answer):
    assert answer[0] == 200, answer
    return json.loads(answer[2])


def test_the_page_needs_nothing_from_elsewhere(running):
    ask, _ = running
    for path, kind in (("/", "text/html"), ("/page.css", "text/css"), ("/page.js", "text/javascript")):
        status, headers, content = ask("GET", path)
        assert status == 200 and headers.get_content_type() == kind
        assert b"http://" not in content and b"https://" not in content
        assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert ask("GET", "/../page.py")[0] == ask("GET", "/nothing")[0] == 404


def test_the_ranking_comes_in_pages_worst_first(running, ranked):
    ask, _ = running
    clips, ranking = ranked
    summary = read(ask("GET", "/api/summary"))
    assert summary["clips"] == 60 and summary["reasons"]["silent"] == 1
    first, second = (read(ask("GET", f"/api/clips?start={start}&count=7")) for start in (0, 7))
    shown = [row["id"] for row in first["clips"] + second["clips"]]
    assert shown == [entry.id for entry in ranking.entries[:14]] and first["total"] == 60
    silent = read(ask("GET", "/api/clips?reason=silent"))
    assert [row["id"] for row in silent["clips"]] == [clips.ids[7]] and silent["total"] == 1
    assert len(read(ask("GET", "/api/clips?count=999999"))["clips"]) == 60
    assert ask("GET", "/api/clips?reason=ugly")[0] == ask("GET", "/api/clips?start=-1")[0] == 400


def test_the_audio_equals_the_clip(running, ranked):
    ask, _ = running
    clips, ranking = ranked
    place = 5
    status, headers, content = ask("GET", f"/audio/{place}.wav")
    played, rate_hz = soundfile.read(io.BytesIO(content), dtype="int16")
    number = clips.ids.index(ranking.entries[place].id)
    assert status == 200 and rate_hz == clips.rate_hz and headers["Accept-Ranges"] == "bytes"
    assert np.array_equal(played, clips.read(np.array([number]))[0])
    status, headers, part = ask("GET", f"/audio/{place}.wav", Range="bytes=10-19")
    assert status == 206 and part == content[10:20] and headers["Content-Range"] == f"bytes 10-19/{len(content)}"
    assert ask("GET", f"/audio/{place}.wav", Range="bytes=40-")[2] == content[40:]
    assert ask("GET", "/audio/60.wav")[0] == 400 and ask("GET", "/audio/x.wav")[0] == 404


def test_a_decision_is_on_disk_before_the_answer(running, ranked):
    ask, path = running
    one, two = ranked[1].entries[0].id, ranked[1].entries[1].id
    for clip, decision in ((one, "drop"), (two, "keep")):
        answer = read(ask("POST", "/api/decisions", {"id": clip, "decision": decision}))
        assert answer["decision"] == decision and decisions.load(path).by_clip[clip] == decision
    assert answer["decisions"] == {"keep": 1, "drop": 1, "relabel": 0}
    shown = {row["id"]: row["decision"] for row in read(ask("GET", "/api/clips?start=0&count=5"))["clips"]}
    assert shown[one] == "drop" and shown[two] == "keep" and list(shown.values()).count(None) == 3
    assert read(ask("GET", "/api/clips?undecided=1"))["total"] == 58
    read(ask("POST", "/api/decisions", {"id": one, "decision": None}))
    assert decisions.load(path).by_clip == {two: "keep"}
    assert Review(*ranked, path).summary()["decisions"] == {"keep": 1, "drop": 0, "relabel": 0}


def test_a_label_is_corrected(running, ranked):
    ask, path = running
    entry = ranked[1].entries[0]
    other = next(word for word in ranked[0].words if word != entry.label)
    assert read(ask("GET", "/api/summary"))["labels"] == list(ranked[0].words)
    answer = read(ask("POST", "/api/decisions", {"id": entry.id, "decision": f"relabel:{other}"}))
    assert answer["decisions"] == {"keep": 0, "drop": 0, "relabel": 1}
    assert decisions.load(path).relabelled == {entry.id: other} and not decisions.load(path).dropped


def test_invalid_decisions_change_nothing(running, ranked):
    ask, path = running
    clip = ranked[1].entries[0].id
    wrong = [{"id": "no/such.wav", "decision": "drop"}, {"id": clip, "decision": "burn"}, {"id": 3, "decision": "drop"}]
    own = ranked[1].entries[0].label
    wrong += [{"id": clip, "decision": f"relabel{label}"} for label in ("", ":", ":maybe", f":{own}")]
    wrong += ["{", "[" * 4000, "[]", {"id": clip, "decision": 1}, "x" * 5000]
    for body in wrong:
        assert ask("POST", "/api/decisions", body)[0] == 400, body
    assert ask("POST", "/api/decisions", {"id": clip, "decision": "drop"}, Content_Type="text/plain")[0] == 415
    assert ask("POST", "/api/other", {"id": clip, "decision": "drop"})[0] == 404
    assert not path.exists()


def test_other_web_pages_have_no_access(running, ranked):
    ask, path = running
    body = {"id": ranked[1].entries[0].id, "decision": "drop"}
    assert ask("GET", "/api/clips", Host="evil.example")[0] == 403
    assert ask("POST", "/api/decisions", body, Origin="http://evil.example")[0] == 403
    assert ask("POST", "/api/decisions", body, Origin="null")[0] == 403
    assert not path.exists()
    assert ask("POST", "/api/decisions", body, Origin=f"http://127.0.0.1:{ask.port}")[0] == 200


def test_a_decision_that_cannot_be_saved_is_reported(running, ranked, monkeypatch):
    ask, path = running

    def full(*_):
        raise ArtifactError(f"{path} could not be written", got="No space left on device")

    monkeypatch.setattr(decisions, "save", full)
    status, _, content = ask("POST", "/api/decisions", {"id": ranked[1].entries[0].id, "decision": "drop"})
    assert status == 500 and "No space left" in json.loads(content)["error"]
    assert read(ask("GET", "/api/summary"))["decisions"] == {"keep": 0, "drop": 0, "relabel": 0}


def test_concurrent_decisions_are_all_saved(running, ranked):
    ask, path = running
    ids = [entry.id for entry in ranked[1].entries][:25]
    threads = [
        threading.Thread(target=ask, args=("POST", "/api/decisions", {"id": clip, "decision": "drop"})) for clip in ids
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert decisions.load(path).dropped == set(ids)


def test_a_taken_port_and_other_clips_are_refused(running, ranked, tmp_path):
    ask, _ = running
    with pytest.raises(ConfigError, match="should be free"):
        serve(Review(*ranked, tmp_path / "other.json"), ask.port)
    with pytest.raises(ConfigError, match="should be free"):
        serve(Review(*ranked, tmp_path / "other.json"), 70_000)
    decisions.save(decisions.Decisions("else", "1" * 64, {}), tmp_path / "else.json")
    with pytest.raises(ArtifactError, match="about these clips"):
        Review(*ranked, tmp_path / "else.json")
    (tmp_path / "bad.json").write_text(
        json.dumps({"kind": "edgekws-decisions", "version": 1, "data": {}, "decisions": {"a": "maybe"}})
    )
    with pytest.raises(ArtifactError, match="a: maybe"):
        decisions.load(tmp_path / "bad.json")
    with pytest.raises(DataError, match=r"0\.\.59"):
        Review(*ranked, tmp_path / "none.json").sound(60)


def test_waveforms_have_a_bounded_length():
    assert waveform(np.zeros(0, np.int16)) == [[0, 0]] and len(waveform(np.ones(3, np.int16))) == 3
    wave = waveform(np.array([0, 16_384, -32_768, 0] * 4000, np.int16))
    assert len(wave) == 160 and wave[0] == [-1, 0.5]
