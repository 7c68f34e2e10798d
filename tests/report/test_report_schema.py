"""The documents for other programs: schema.json, versions, and damaged or foreign files."""

import json
import re
from copy import deepcopy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekws.errors import ArtifactError
from edgekws.report import build_report, document, schema
from tests.conftest import random_graph
from tests.report.documents import bench_document, energy_section

GRAPH = random_graph()
BENCH = {**bench_document(GRAPH, wrong=1), "energy": energy_section()}
BENCH["answers"] = [{"file": "yes/a.wav", "class": 9, "permille": [0] * 12}]
REPORT = json.loads(json.dumps(build_report("Run", GRAPH, BENCH).to_json()))
NEW_IN_3 = ("provenance", "build")
SECOND = {key: value for key, value in BENCH.items() if key not in NEW_IN_3} | {"version": 2}
OLD = {key: value for key, value in SECOND.items() if key not in ("incomplete", "modes", "energy", "transfers")}
OLD |= {"version": 1, "performance": {k: v for k, v in BENCH["performance"].items() if k not in ("drift", "host_s")}}


def test_schema_json_is_of_this_version():
    assert json.loads(schema.SCHEMA.read_text()) == schema.schema(), "run python -m edgekws.report.schema"


def test_every_reference_of_the_schema_leads_somewhere():
    text = schema.SCHEMA.read_text()
    references = set(re.findall(r'"\$ref": "#/\$defs/(\w+)"', text))
    assert {"ReportDocument", "Bench", "Comparison", "Energy", "Trace"} <= references <= set(json.loads(text)["$defs"])


@pytest.mark.parametrize("value", [REPORT, BENCH], ids=["report", "bench"])
def test_whole_documents_pass(value, tmp_path):
    path = tmp_path / "x.json"
    path.write_text(json.dumps(value))
    assert document.read(path) == value


def test_a_report_without_a_board_passes():
    document.checked(build_report("Export", GRAPH).to_json(), "it")


def test_version_1_is_read_as_version_3():
    upgraded = document.checked(OLD, "it")
    assert (upgraded["version"], upgraded["modes"], upgraded["incomplete"]) == (3, ["performance", "accuracy"], "")
    assert upgraded["energy"] is None and upgraded["performance"]["drift"] == 0.0
    assert build_report("Run", GRAPH, OLD).performance == upgraded["performance"]


def test_version_2_is_read_and_says_that_its_origin_is_unknown():
    report = {key: value for key, value in REPORT.items() if key not in NEW_IN_3} | {"version": 2}
    for old in (SECOND, report):
        upgraded = document.checked(old, "it")
        assert upgraded["version"] == 3 and upgraded["provenance"]["source"] == "unknown"
        assert upgraded["build"] == {"status": "unknown", "id": "", "expected": ""}
    without_board = build_report("Export", GRAPH).to_json()
    assert without_board["provenance"] is None and without_board["build"] is None


def test_a_document_cannot_claim_a_firmware_that_was_not_verified():
    unverified = {"status": "unverified", "id": "", "expected": "a" * 32}
    with pytest.raises(ArtifactError, match="firmware should be null"):
        document.checked({**BENCH, "build": unverified}, "it")
    with pytest.raises(ArtifactError, match="memory should be empty"):
        document.checked({**REPORT, "build": unverified}, "it")
    with pytest.raises(ArtifactError, match="should have the expected id"):
        document.checked({**BENCH, "build": {"status": "verified", "id": "a" * 32, "expected": "b" * 32}}, "it")
    document.checked({**BENCH, "build": unverified, "firmware": None}, "it")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d["provenance"].update(source="somewhere"), "provenance.source"),
        (lambda d: d["provenance"].update(clips_sha256="abc"), "provenance.clips_sha256"),
        (lambda d: d["performance"].update(latencies_us=["fast"]), "performance.latencies_us.0"),
        (lambda d: d["performance"].update(latency_us=float("nan")), "performance.latency_us"),
        (lambda d: d["energy"].update(how="guessed"), "energy.how"),
        (lambda d: d["energy"]["trace"].update(watts=[0.0] * 4001), "energy.trace.watts"),
        (lambda d: d["board"].pop("how"), "board.how"),
        (lambda d: d.update(modes=["Sleep well"]), "modes.0"),
        (lambda d: d.update(verdict=None), "verdict"),
    ],
)
@pytest.mark.parametrize("value", [REPORT, BENCH], ids=["report", "bench"])
def test_a_damaged_field_is_named(value, change, message):
    damaged = deepcopy(value)
    change(damaged)
    with pytest.raises(ArtifactError, match=re.escape(message)):
        document.checked(damaged, "it")


def test_a_report_with_an_unknown_field_is_refused():
    with pytest.raises(ArtifactError, match="surprise"):
        document.checked({**REPORT, "surprise": 1}, "it")


def test_a_bench_may_know_more():
    assert document.checked({**BENCH, "more": 1}, "it")["more"] == 1


@given(st.sampled_from(sorted(REPORT)))
def test_no_field_of_a_report_is_optional(key):
    with pytest.raises(ArtifactError):
        document.checked({name: value for name, value in REPORT.items() if name != key}, "it")


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists)


@given(st.sampled_from(sorted(BENCH)), JSON)
def test_any_value_in_any_place_is_taken_or_refused_in_one_paragraph(key, value):
    try:
        document.checked({**BENCH, key: value}, "it")
    except ArtifactError as error:
        assert "\n" not in str(error) and len(str(error)) < 1000


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe", b"[]", b'{"kind": 1}', b"[" * 100_000, b'{"kind": "edgekws-bench", "version": 3}']
)
def test_foreign_files_are_refused(content, tmp_path):
    path = tmp_path / "x.json"
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match=re.escape(str(path))):
        document.read(path)
    with pytest.raises(ArtifactError, match=r"there is no file .*y.json"):
        document.read(tmp_path / "y.json")
