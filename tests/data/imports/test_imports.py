"""What other tools write becomes word folders; what cannot is named."""

import json
import struct

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from edgekws.cli import app
from edgekws.data import cbor, imports
from edgekws.data.listing import LeftOut
from edgekws.errors import ConfigError, DataError
from tests.data.test_audio import tone

RATE = 16_000


def run(*arguments, fails=None):
    done = CliRunner().invoke(app, ["data", "import", *map(str, arguments)])
    assert isinstance(done.exception, fails) if fails else not done.exception, (done.output, done.exception)
    return str(done.exception) if fails else " ".join(done.output.split())


def sound(path, seconds=0.5, rate_hz=RATE, **more):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, tone(rate_hz, seconds), rate_hz, **more)


def names(out):
    return sorted(str(path.relative_to(out)) for path in out.glob("*/*"))


def test_labels_of_audacity(tmp_path):
    source, out = tmp_path / "takes", tmp_path / "words"
    recording = np.concatenate([np.zeros(2 * RATE), tone(RATE, 0.4), np.zeros(RATE), tone(RATE, 0.4), np.zeros(RATE)])
    source.mkdir()
    soundfile.write(source / "anna.flac", recording, RATE)
    lines = "2.0\t2.4\tyes\n\\\t1484.6\t2969.3\n3,4\t3,8\tyes\n4.5\t4.5\tno\n4.7\t4.8\t\nnot a label\n9.0\t9.5\tyes\n"
    (source / "anna.txt").write_text(lines, encoding="utf-8-sig")
    (source / "readme.txt").write_text("a text about the recordings")
    printed = run(source, out)
    assert names(out) == ["no/anna_nohash_0.wav", "yes/anna_nohash_0.wav", "yes/anna_nohash_1.wav"]
    first, _ = soundfile.read(out / "yes" / "anna_nohash_0.wav")
    assert len(first) == RATE and abs(np.flatnonzero(first).mean() - RATE / 2) < 200, "in the middle of its clip"
    assert "a label without text" in printed and "not a label of Audacity" in printed and "line 6" in printed
    assert "a label beyond its end" in printed
    assert f"next: edgekws data prepare {out}" in printed


def test_labels_of_old_audacity_and_a_track_with_a_name_of_its_own(tmp_path):
    sound(tmp_path / "in" / "x.wav", 3)
    (tmp_path / "in" / "Label Track.txt").write_text("1.5\thello\n")
    run(tmp_path / "in" / "Label Track.txt", tmp_path / "out", "--format", "audacity")
    assert names(tmp_path / "out") == ["hello/x_nohash_0.wav"]


def test_a_table_of_common_voice(tmp_path):
    source, out = tmp_path / "cv-corpus", tmp_path / "words"
    rows = ["client_id\tpath\tsentence\tup_votes"]
    rows += ["a" * 128 + "\tcommon_voice_en_1.mp3\tYes.\t2", "bob\tcommon_voice_en_2\tyes\t2"]
    rows += ["bob\tcommon_voice_en_3.mp3\tNo way\t2", 'bob\tmissing.mp3\t"no"\t2']
    sound(source / "en" / "clips" / "common_voice_en_1.mp3", rate_hz=48_000, format="MP3")
    sound(source / "en" / "clips" / "common_voice_en_2.mp3", rate_hz=48_000, format="MP3")
    (source / "en" / "validated.tsv").write_text("\n".join(rows) + "\n")
    printed = run(source, out)
    assert names(out) == ["yes/aaaaaaaaaaaaaaaaaaaaaaaa_nohash_0.mp3", "yes/bob_nohash_0.mp3"]
    assert "sentences of several words" in printed and "no such file" in printed


def test_a_language_of_mswc(tmp_path):
    source, out = tmp_path / "mswc" / "en", tmp_path / "words"
    for name in ("yes/a.opus", "yes/b.opus", "no/c.opus"):
        sound(source / "clips" / name, rate_hz=48_000, format="OGG", subtype="OPUS")
    rows = ["SET,LINK,WORD,VALID,SPEAKER,GENDER", "TRAIN,yes/a.opus,yes,True,anna,FEMALE"]
    rows += [
        "TEST,yes/b.opus,yes,False,bob,MALE",
        "DEV,no/c.opus,no,True,anna,FEMALE",
        "DEV,../../x,no,True,anna,OTHER",
    ]
    (source / "en_splits.csv").write_text("\n".join(rows) + "\n")
    printed = run(tmp_path / "mswc", out)
    assert names(out) == ["no/anna_nohash_0.opus", "yes/anna_nohash_0.opus"]
    assert "not valid, says the table" in printed and "a link out of the corpus" in printed
    printed = run(source, tmp_path / "some", "--words", "no")
    assert names(tmp_path / "some") == ["no/anna_nohash_0.opus"] and "1 clips of other words" in printed


def payload(name="audio", values=(100, -100) * 4_000):
    sensors = [{"name": name, "units": "wav"}]
    about = {"device_name": "phone", "device_type": "MOBILE_CLIENT", "interval_ms": 0.0625, "sensors": sensors}
    return {"protected": {"ver": "v1"}, "signature": "0" * 64, "payload": {**about, "values": list(values)}}


def test_an_export_of_edge_impulse(tmp_path):
    source, out = tmp_path / "export", tmp_path / "words"
    sound(source / "training" / "yes.1a2b.wav")
    (source / "testing").mkdir()
    (source / "testing" / "no.3c4d.json").write_text(json.dumps(payload()))
    (source / "testing" / "no.5e6f.json").write_text(json.dumps(payload("accX")))
    (source / "testing" / "no.7a8b.cbor").write_bytes(encoded(payload(values=(0.5, -0.5) * 100)))
    printed = run(source, out)
    assert names(out) == ["no/no-3c4d_nohash_0.wav", "no/no-7a8b_nohash_0.wav", "yes/yes-1a2b_nohash_0.wav"]
    samples, rate_hz = soundfile.read(out / "no" / "no-3c4d_nohash_0.wav", dtype="int16")
    assert rate_hz == RATE and samples[:2].tolist() == [100, -100] and len(samples) == 8_000
    assert soundfile.read(out / "no" / "no-7a8b_nohash_0.wav")[0][0] == 0.5
    assert "not audio but accX" in printed


def test_labels_of_edge_impulse_go_before_names(tmp_path):
    source, out = tmp_path / "export", tmp_path / "words"
    sound(source / "training" / "sample.wav")
    files = [{"path": "training/sample.wav", "category": "training", "label": {"type": "label", "label": "go"}}]
    files += [{"path": "training/sample.wav", "label": {"type": "unlabeled"}}, {"path": "../x.wav", "label": "go"}]
    (source / "info.labels").write_text(json.dumps({"version": 1, "files": files}))
    assert "2 without one label" in run(source, out)
    assert names(out) == ["go/sample_nohash_0.wav"]
    (source / "info.labels").write_text('{"files": [3]}')
    assert "should list the files of an export" in run(source, tmp_path / "new", fails=DataError)


def test_sources_of_no_format_and_folders_that_exist(tmp_path):
    assert "no such file or folder" in run(tmp_path / "none", tmp_path / "out", fails=DataError)
    assert "none of them" in run(tmp_path, tmp_path / "out", fails=DataError)
    assert "did you mean mswc" in run(tmp_path, tmp_path / "out", "--format", "mswcs", fails=ConfigError)
    for name in imports.formats():
        with pytest.raises(DataError, match="should be"):
            list(imports.load(name).items(tmp_path))
    with pytest.raises(DataError, match="1 why"):
        imports.write([LeftOut("x", "why")], tmp_path / "out", (), lambda *_: None)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("label", "name"), [("yes", "yes"), (" view  glass ", "view glass"), ("../etc", "_etc"), ("a/b", "a_b"), ("..", "")]
)
def test_labels_become_names_of_folders(label, name):
    assert imports.writing.folder_name(label) == name


def encoded(value):
    """CBOR of what the tests need."""
    if isinstance(value, float):
        return b"\xfb" + struct.pack(">d", value)
    if isinstance(value, str):
        return b"\x79" + struct.pack(">H", len(value)) + value.encode()
    if isinstance(value, list):
        return b"\x99" + struct.pack(">H", len(value)) + b"".join(map(encoded, value))
    return b"\xbf" + b"".join(encoded(key) + encoded(each) for key, each in value.items()) + b"\xff"


def test_cbor_of_the_standard():
    """Examples of RFC 8949, appendix A."""
    examples = {
        "00": 0, "1903e8": 1000, "3863": -100, "f93c00": 1.0, "fb3ff199999999999a": 1.1, "f5": True, "f6": None,
        "83010203": [1, 2, 3], "a201020304": {1: 2, 3: 4}, "7f657374726561646d696e67ff": "streaming",
        "c11a514b67b0": 1363896240,
    }  # fmt: skip
    assert {text: cbor.loads(bytes.fromhex(text)) for text in examples} == examples
    for text in ("", "19", "9f01", "ff", "1c", "81" * 40, "9b00ffffffffffffff", "a1a00102"):
        with pytest.raises(ValueError, match=r"."):
            cbor.loads(bytes.fromhex(text))
