"""`edgekws verify`: each way to damage or doctor the folder of a run is named, and a whole one passes."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekws.cli import console
from edgekws.cli.boards import verify
from edgekws.emit.c import emit
from edgekws.errors import ArtifactError
from edgekws.files import sha256_file, write_json
from edgekws.graph import interp, io
from edgekws.report import build_report
from edgekws.report.bundle import manifest
from edgekws.report.bundle.run_folder import newest
from edgekws.report.html import to_html
from edgekws.report.markdown import to_markdown
from firmware_io import board as boards
from firmware_io import build
from firmware_io.bench import evidence, vectors
from firmware_io.bench.modes import Vectors
from tests.conftest import random_graph
from tests.firmware_io.devices.fake_device import FakeDevice, on_pty

MAIN = [sys.executable, "-W", "ignore", "-m", "edgekws"]
CLIPS, BOARD = 12, "qemu-an386"
Row = dict[str, Any]
pytestmark = pytest.mark.skipif(
    shutil.which(boards.load(BOARD).compiler) is None, reason="the firmware's compiler is not installed"
)


def edgekws(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*MAIN, *map(str, arguments)], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model's folder with one run: of a device on a pty, performance and accuracy, recorded."""
    folder, graph = tmp_path_factory.mktemp("model"), random_graph()
    io.save(graph, folder / "graph.npz")
    features = vectors_of(graph)
    clips = Vectors(
        "dev split", tuple(f"clip{i}.bin" for i in range(CLIPS)), features, interp.run(graph, features).argmax(1)
    )
    vectors.write(folder / "vectors.npz", clips, graph.features)
    same = build.build(boards.load(BOARD), emit(graph), folder / "same.elf")
    with on_pty(FakeDevice(graph, layers_us=[900, 300, 500, 200, 100], check=True, runs=same)) as port:
        own = ["--board", BOARD, "--out", folder, "--vectors", folder / "vectors.npz", "--port", f"serial:{port}"]
        done = edgekws("bench", *own, "--spy", folder / "t.jsonl")
    assert done.returncode == 0, done.stderr
    return folder


def vectors_of(graph: Any) -> Any:
    return np.random.default_rng(1).integers(-128, 128, (CLIPS, 49, 10)).astype(np.int8)


@pytest.fixture
def run(out: Path, tmp_path: Path) -> Path:
    """A copy of the run to be damaged."""
    source = newest(out / "bench" / BOARD)
    return Path(shutil.copytree(source, tmp_path / source.name))


def errors(folder: Path) -> str:
    """What `edgekws verify` prints about failed checks; it fails for the same ones."""
    failed = False
    with console.out.capture() as captured:
        try:
            verify.verify([folder])
        except ArtifactError:
            failed = True
    wrong = [line for line in captured.get().splitlines() if line.startswith("ERROR")]
    assert failed == bool(wrong), captured.get()
    return "\n".join(wrong)


def sealed(folder: Path) -> None:
    """Write the hashes of changed files into the manifest, as whoever doctors a run would."""
    written = json.loads((folder / manifest.NAME).read_text())
    for name, path in manifest.files(folder):
        written["files"][name] = {"sha256": sha256_file(path), "bytes": path.stat().st_size}
    (folder / manifest.NAME).write_text(json.dumps(written))


def edit(folder: Path, name: str, change: Callable[[Row], object]) -> None:
    value = json.loads((folder / name).read_text())
    change(value)
    (folder / name).write_text(json.dumps(value))
    sealed(folder)


def test_a_run_passes_by_its_folder_by_its_board_and_by_latest(out: Path, run: Path) -> None:
    board = out / "bench" / BOARD
    done = edgekws("verify", run, board, board / "latest")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("0 failed") == 3 and "ERROR" not in done.stdout
    for line in (
        "files: content: 9 files have their hashes",
        "bench.json: performance: follows from what the device gave",
        "bench.json: accuracy: follows from what the device gave",
        "report.json: follows from bench.json: every section and figure",
        "report.md: follows from report.json: word for word",
        "report.html: follows from report.json: byte for byte, with its plots",
        "manifest.json: options: agree with the run",
        "manifest.json: versions: agree with the run",
        "schema.json: of its version",
        "graph.npz: memory plan: made again",
        "traffic.jsonl: hash of the clips: names, classes and contents",
        "firmware.elf: build id",
        "firmware.elf: hash",
        "traffic.jsonl: build id",
        "firmware.elf: flash and RAM",
        "traffic.jsonl: answers: 12 of 12 in it",
    ):
        assert re.search(rf"^ok +{re.escape(line)}", done.stdout, re.MULTILINE), f"{line}\n{done.stdout}"


def test_a_manifest_says_what_made_the_run(run: Path) -> None:
    written = manifest.read(run)
    assert set(written["files"]) == {name for name, _ in manifest.files(run)} and "schema.json" in written["files"]
    assert written["versions"]["edgekws"] and written["versions"]["python"] and "gcc" in written["versions"]["compiler"]
    assert written["options"]["board"] == BOARD and written["options"]["modes"] == ["performance", "accuracy"]
    assert written["run_id"] == run.name and written["provenance"]["source"] == "live"


@pytest.mark.parametrize(
    "name", ["report.html", "report.md", "traffic.jsonl", "firmware.elf", "graph.npz", "bench.json"]
)
def test_one_changed_byte_is_found(run: Path, name: str) -> None:
    content = bytearray((run / name).read_bytes())
    content[len(content) // 2] ^= 1
    (run / name).write_bytes(content)
    assert f"files: content: changed: {name}" in errors(run)


def test_one_file_more_or_less_is_found(run: Path) -> None:
    (run / "notes.txt").write_text("mine")
    (run / "report.html").unlink()
    found = errors(run)
    assert "files: missing: missing: report.html" in found
    assert "files: not in the manifest: added: notes.txt" in found


def test_a_link_is_no_file_of_a_run(run: Path, tmp_path: Path) -> None:
    (run / "report.md").rename(tmp_path / "elsewhere.md")
    (run / "report.md").symlink_to(tmp_path / "elsewhere.md")
    assert "files: content: changed: report.md" in errors(run)


@pytest.mark.parametrize(
    "content", [None, "", "[]", "{}", '{"kind": "edgekws-run", "version": 1}', '{"kind": "edgekws-run", "version": 9}']
)
def test_without_its_manifest_a_run_is_refused(run: Path, content: str | None) -> None:
    (run / manifest.NAME).unlink()
    if content is not None:
        (run / manifest.NAME).write_text(content)
    done = edgekws("verify", run)
    assert content is not None or "an older edgekws wrote the run, or the file" in " ".join(done.stderr.split())
    assert done.returncode == 8 and manifest.NAME in " ".join(done.stderr.split()), done.stderr


DOCTORED = [
    (lambda b: b["performance"].update(latency_us=1000.0), "bench.json: performance: latency_us is 1000.0"),
    (lambda b: b["performance"]["windows_s"].__setitem__(0, 11.0), "bench.json: performance: windows_s"),
    (lambda b: b["accuracy"].update(correct=11), "bench.json: accuracy: correct is 11, computed 12"),
    (lambda b: b["answers"].pop(), "bench.json: accuracy: n is 12, computed 11"),
    (lambda b: b["answers"][3].update(equal=False), "bench.json: accuracy: matches is 12, computed 11"),
    (lambda b: b["answers"][3].update(permille=[0] * 12), "answers: answer 4 of bench.json is not in it"),
    (lambda b: b["measurements"][0].update(value=7.0), "bench.json: measurements"),
    (lambda b: b["firmware"].update(flash_bytes=1), "firmware.elf: flash and RAM"),
    (lambda b: b["firmware"].update(sha256="0" * 64), "firmware.elf: hash"),
    (lambda b: b["build"].update(id="a" * 32, expected="a" * 32), "but the device said aaaaaaaa"),
    (lambda b: b["build"].update(id="a" * 32, expected="a" * 32), "traffic.jsonl: build id: not aaaaaaaa"),
    (lambda b: b["graph"].update(sha256="0" * 64), "graph.npz: hash"),
    (lambda b: b["board"].update(ram_bytes=1), "board.toml: bench.json has another ram_bytes"),
    (lambda b: b["provenance"].update(started=""), "provenance: manifest.json differs from bench.json"),
    (lambda b: b.update(valid=False), "bench.json: verdict: not valid without a reason"),
    (lambda b: b.update(layers_us="none"), "bench.json: schema"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "message"), DOCTORED, ids=[message for _, message in DOCTORED])
def test_a_doctored_bench_is_found_although_its_hash_is_new(
    run: Path, change: Callable[[Row], object], message: str
) -> None:
    edit(run, "bench.json", change)
    assert message in errors(run)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: r["figures"][0].update(value=1.0), "follows from bench.json: other values: figures"),
        (lambda r: r["accuracy"].update(correct=1), "follows from bench.json: other values: accuracy"),
        (lambda r: r["memory"][0].update(used=1), "follows from bench.json: other values: memory"),
        (lambda r: r.update(warnings=[]), "follows from bench.json: other values: warnings"),
        (lambda r: r.update(title="Better"), "report.md: follows from report.json: another text"),
        (lambda r: r.update(title="Better"), "follows from bench.json: other values: title"),
        (lambda r: r.update(edgekws="9.9"), "manifest.json: versions: edgekws"),
        (lambda r: r.update(created="1999-01-01 00:00:00+00:00"), "report.json: times: created before ended"),
        (lambda r: r["manifests"]["firmware"]["recipe"].update(min_ram=True), "report.json says True"),
        (lambda r: r["manifests"]["firmware"]["inputs"].update(firmware="0" * 64), "made from another firmware"),
    ],
    ids=["figure", "section", "memory", "warnings", "title", "other title", "version", "created", "recipe", "inputs"],
)
def test_a_doctored_report_is_found_although_its_hash_is_new(
    run: Path, change: Callable[[Row], object], message: str
) -> None:
    edit(run, "bench.json", lambda b: b.update(warnings=["one"]))
    bench = json.loads((run / "bench.json").read_text())
    report = json.loads((run / "report.json").read_text())
    again = build_report(
        report["title"], io.load(run / "graph.npz"), bench, created=report["created"], manifests=report["manifests"]
    )
    (run / "report.json").write_text(json.dumps(again.to_json()))
    (run / "report.md").write_text(to_markdown(again.to_json()))
    (run / "report.html").write_text(to_html(again.to_json()))
    sealed(run)
    assert errors(run) == ""
    edit(run, "report.json", change)
    assert message in errors(run)


def replaced(folder: Path, name: str, old: str, new: str) -> None:
    text = (folder / name).read_text()
    assert old in text
    (folder / name).write_text(text.replace(old, new))
    sealed(folder)


def other_drawings(folder: Path) -> None:
    replaced(folder, "report.html", "stroke-linejoin: round", "stroke-linejoin: miter")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: replaced(f, "report.html", "12 of 12", "13 of 12"), "report.html: follows from report.json"),
        (lambda f: replaced(f, "report.html", "</main>", "<script>1</script></main>"), "another text or style"),
        (other_drawings, "report.html: follows from report.json: its text, but other plots"),
        (lambda f: replaced(f, "schema.json", "edgekws-report", "another"), "schema.json: of its version: another one"),
        (lambda f: edit_manifest(f, "options", min_ram=True), "min_ram True, but the memory plan is the other one"),
        (lambda f: edit_manifest(f, "options", windows=7), "options: windows 7, but performance has 5"),
        (lambda f: edit_manifest(f, "options", window_s=99.0), "options: window_s 99, but a window of performance"),
        (lambda f: edit_manifest(f, "options", clips=3), "options: clips 3, but 12 were answered"),
        (lambda f: edit_manifest(f, "options", modes=["energy"]), "options: modes ['energy'], but the run has"),
        (lambda f: edit_manifest(f, "options", board="host"), "options: another board than qemu-an386"),
        (lambda f: edit_manifest(f, "options", port="replay:x"), "options: port 'replay:x', but the source is live"),
        (lambda f: edit_manifest(f, "versions", compiler="icc"), "versions: compiler 'icc'"),
        (lambda f: edit_manifest(f, "versions", emulator="QEMU 99"), "versions: another emulator"),
        (lambda f: edit_manifest(f, "versions", edgekws="7"), "versions: edgekws '7'"),
        (lambda f: unlisted(f, "traffic.jsonl"), "options: traffic.jsonl is missing, although"),
        (lambda f: unlisted(f, "report.md"), "files: missing: missing: report.md"),
        (lambda f: (f / "a\nb\u202e.txt").write_text("x") and sealed(f), "files: names: other characters"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)  # fmt: skip
def test_a_doctored_file_is_found_although_its_hash_is_new(
    run: Path, change: Callable[[Path], object], message: str
) -> None:
    change(run)
    assert message in errors(run)


def edit_manifest(folder: Path, section: str, **values: object) -> None:
    written = json.loads((folder / manifest.NAME).read_text())
    written[section] |= values
    (folder / manifest.NAME).write_text(json.dumps(written))


def unlisted(folder: Path, name: str) -> None:
    (folder / name).unlink()
    written = json.loads((folder / manifest.NAME).read_text())
    del written["files"][name]
    (folder / manifest.NAME).write_text(json.dumps(written))


def test_the_hash_of_the_clips_is_computed_from_the_traffic(run: Path) -> None:
    for name in ("bench.json", "report.json", manifest.NAME):
        edit(run, name, lambda value: value["provenance"].update(clips_sha256="0" * 64))
    assert "traffic.jsonl: hash of the clips" in errors(run)


def test_plots_of_another_matplotlib_are_not_checked_but_nothing_may_be_added(run: Path) -> None:
    edit_manifest(run, "versions", matplotlib="3.0.0")
    other_drawings(run)
    done = edgekws("verify", run)
    assert done.returncode == 0 and "the plots are not checked" in done.stdout
    replaced(run, "report.html", "</svg>", "<foreignObject>1</foreignObject></svg>")
    assert "its text, but other plots" in errors(run)


def test_pages_of_another_version_are_said_to_be_unchecked(run: Path) -> None:
    edit(run, "report.json", lambda report: report.update(edgekws="9.9"))
    edit_manifest(run, "versions", edgekws="9.9")
    done = edgekws("verify", run)
    assert done.returncode == 0 and "report.html: follows from report.json: not checked: written by" in done.stdout
    assert re.search(
        r"^ok +report.md: follows from report.json: word for word", done.stdout, re.MULTILINE
    )  # no version


def test_another_firmware_is_found_although_its_hash_is_new(run: Path) -> None:
    image = bytearray((run / "firmware.elf").read_bytes())
    image[len(image) // 2] ^= 1
    (run / "firmware.elf").write_bytes(image)
    digest = sha256_file(run / "firmware.elf")
    edit(run, "bench.json", lambda bench: bench["firmware"].update(sha256=digest))
    assert "firmware.elf: build id" in errors(run) and "changed after it was built" in errors(run)


def test_an_unverified_build_is_a_warning_and_has_no_image(out: Path, tmp_path: Path) -> None:
    with on_pty(FakeDevice(random_graph())) as port:
        own = ["--board", BOARD, "--out", out, "--vectors", out / "vectors.npz", "--mode", "accuracy"]
        assert edgekws("bench", *own, "--port", f"serial:{port}").returncode == 0
    done = edgekws("verify", out / "bench" / BOARD)
    assert done.returncode == 0 and re.search(r"^warning +build: unverified", done.stdout, re.MULTILINE)
    assert "firmware.elf" not in done.stdout


def test_a_copy_under_another_name_is_only_mentioned(run: Path, tmp_path: Path) -> None:
    run.rename(tmp_path / "copy")
    done = edgekws("verify", tmp_path / "copy")
    assert done.returncode == 0 and re.search(
        rf"^warning +run: {run.name}, in the folder copy", done.stdout, re.MULTILINE
    )


def test_other_folders_are_refused_in_one_paragraph(run: Path, tmp_path: Path) -> None:
    for path, words in ((tmp_path / "empty", "run `edgekws bench` first"), (run / "report.json", "give")):
        (tmp_path / "empty").mkdir(exist_ok=True)
        done = edgekws("verify", path)
        assert done.returncode == 8 and words in done.stderr and "Traceback" not in done.stderr


def test_a_replay_is_verified_as_one(out: Path) -> None:
    own = ["--board", BOARD, "--out", out, "--vectors", out / "vectors.npz", "--port", f"replay:{out / 't.jsonl'}"]
    assert edgekws("bench", *own).returncode == 0
    folder = newest(out / "bench" / BOARD)
    assert errors(folder) == "" and manifest.read(folder)["provenance"]["source"] == "replay"
    assert re.search(r"^warning +source: a replay .* as the file itself says", edgekws("verify", folder).stdout, re.M)
    copy = folder.with_name("copy")
    shutil.copytree(folder, copy)
    for name in ("bench.json", "report.json", manifest.NAME):
        edit(copy, name, lambda value: value["provenance"].update(recorded="2031-01-01T00:00:00+00:00"))
    assert "traffic.jsonl: date" in errors(copy)
    shutil.rmtree(copy)


def test_joules_are_computed_again_from_the_samples(run: Path) -> None:
    samples = np.full(3000, 0.5, "<f4")
    samples.tofile(run / "energy.f32")
    about = {"kind": "edgekws-energy-trace", "version": 1, "rate_hz": 100.0, "samples": 3000, "edges": [10, 100, 1200]}
    write_json(run / "energy.json", about)
    bench = json.loads((run / "bench.json").read_text())

    def checked(joules: float, seconds: float) -> str:
        bench["energy"] = {"windows": [{"joules": joules, "seconds": seconds}]}
        (finding,) = (one for one in evidence.findings(run, bench) if one.what.startswith("energy.f32"))
        return f"{finding.level} {finding.got}"

    assert checked(550.0, 11.0) == "ok 1 windows, from 3,000 samples"
    assert checked(551.0, 11.0) == checked(550.0, 12.0) == "error window 1 is between no two edges"
    (run / "energy.json").write_text("{}")
    assert checked(550.0, 11.0).startswith("error not readable")


def test_time_stamps_are_those_of_the_recorded_traffic(run: Path) -> None:
    bench = json.loads((run / "bench.json").read_text())

    def checked() -> str:
        (finding,) = (one for one in evidence.findings(run, bench) if one.what == "traffic.jsonl: time stamps")
        return f"{finding.level} {finding.got}"

    windows = bench["performance"]["clock_us"]
    assert checked() == f"ok of {len(windows)} windows"
    windows[0][1] -= (windows[0][1] - windows[0][0]) // 2
    assert checked() == "error those of window 1 of bench.json are not in it"


def test_a_session_of_mlperf_tiny_is_checked_by_its_rules(tmp_path: Path, graph: Any) -> None:
    session = tmp_path / "sessions" / "20261201_021530" / "performance"
    session.mkdir(parents=True)
    for name in ("log.txt", "results.txt"):
        (session / name).write_text("Median throughput is    100.000 inf./sec.\n")
    (session / "results.json").write_text("[]")
    done = edgekws("verify", session.parent)
    assert done.returncode == 8 and "ERROR" in done.stdout
