"""Every run has a folder of its own, and a replay says that it is one."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from edgekws.cli.boards import measure as command
from edgekws.cli.boards import run_files
from edgekws.cli.boards.measure import Options
from edgekws.emit.c import emit
from edgekws.errors import ArtifactError, BoardError, ParityError
from edgekws.graph import io
from edgekws.graph.ir import Graph
from edgekws.report import document
from edgekws.report.bundle import manifest, run_folder
from edgekws.report.bundle.run_folder import newest
from edgekws.report.compare.runs import load
from firmware_io import board as boards
from firmware_io import build
from firmware_io.bench import vectors
from firmware_io.bench.modes import Vectors
from tests.firmware_io.devices.fake_device import CLASSIFY_COMMANDS, START_COMMANDS, FakeDevice, Faults, on_pty
from tests.report.documents import Page

BOARD, CLIPS = "qemu-an386", 4
NEW, OLD = "2026-12-01T02:15:30+00:00", "2025-01-02T03:04:05+01:00"
pytestmark = pytest.mark.skipif(
    shutil.which(boards.load(BOARD).compiler) is None, reason="the firmware's compiler is not installed"
)


@pytest.fixture
def options(graph, random_features, tmp_path) -> Options:
    io.save(graph, tmp_path / "graph.npz")
    clips = Vectors("dev split", tuple(f"clip{i}.bin" for i in range(CLIPS)), random_features(CLIPS), None)
    labelled = replace(clips, labels=clips.features[:, 0, 0].astype(int) % 12)
    vectors.write(tmp_path / "vectors.npz", labelled, graph.features)
    return Options(board=BOARD, out=tmp_path, vectors=tmp_path / "vectors.npz", modes=("accuracy",))


def measure(device: FakeDevice, options: Options, **changes: object) -> None:
    with on_pty(device) as port:
        command.measure(replace(options, port=f"serial:{port}", **changes))


def runs(options: Options) -> list[Path]:
    return sorted(path for path in options.folder.iterdir() if path.is_dir() and not path.is_symlink())


def test_a_run_never_replaces_an_earlier_one(graph: Graph, options: Options) -> None:
    measure(FakeDevice(graph), options)
    (first,) = runs(options)
    before = {path.name: path.read_bytes() for path in first.iterdir()}
    with pytest.raises(ParityError):
        measure(FakeDevice(graph, Faults(wrong_score_at=2)), options)
    second = next(path for path in runs(options) if path != first)
    assert {path.name: path.read_bytes() for path in first.iterdir()} == before
    assert (options.folder / "latest").resolve() == second, "also a run that is not valid has a report"
    assert (options.folder / "latest").readlink() == Path(second.name), "relative: the folder can be moved"
    assert re.fullmatch(r"\d{8}-\d{6}-accuracy(-2)?", second.name)
    for folder in (first, second):
        report = document.read(folder / "report.json")
        assert report["provenance"]["run_id"] == folder.name and report["provenance"]["source"] == "live"
        assert document.read(folder / "bench.json")["provenance"] == report["provenance"]
    assert [document.read(folder / "report.json")["verdict"]["valid"] for folder in (first, second)] == [True, False]


def test_a_folder_has_what_its_report_is_made_from(graph: Graph, options: Options) -> None:
    same = build.build(boards.load(BOARD), emit(graph), options.out / "same.elf")
    measure(FakeDevice(graph, check=True, runs=same), options, spy=options.out / "mine.jsonl")
    folder = newest(options.folder)
    files = {"bench.json", "board.toml", "firmware.elf", "graph.npz", "report.json", "report.md", "traffic.jsonl"}
    assert files <= {path.name for path in folder.iterdir()}
    assert io.digest(io.load(folder / "graph.npz")) == io.digest(graph)
    assert (folder / "traffic.jsonl").read_bytes() == (options.out / "mine.jsonl").read_bytes()
    answers = document.read(folder / "bench.json")["answers"]
    assert [answer["file"] for answer in answers] == [f"clip{i}.bin" for i in range(CLIPS)]
    assert all(answer["equal"] and len(answer["scores"]) == 12 for answer in answers)


def test_a_firmware_that_may_not_have_run_is_not_in_the_folder(graph: Graph, options: Options) -> None:
    measure(FakeDevice(graph), options)
    assert not (newest(options.folder) / "firmware.elf").exists()


def test_a_run_without_a_figure_leaves_nothing(graph: Graph, options: Options) -> None:
    with pytest.raises(BoardError):
        measure(FakeDevice(graph, Faults(reset=True, command=START_COMMANDS + 1, always=True)), options)
    assert not options.folder.exists()


@pytest.mark.parametrize("name", ["firmware.elf", "traffic.jsonl"])
def test_a_run_that_lost_files_is_not_valid(graph: Graph, options: Options, monkeypatch, capsys, name: str) -> None:
    keep = run_files.keep_traffic

    def lossy(folder: Path, record: Path | None, url: str) -> None:
        if name != "traffic.jsonl":
            shutil.rmtree(folder)
        keep(folder, None if name == "traffic.jsonl" else record, url)

    monkeypatch.setattr(run_files, "keep_traffic", lossy)
    same = build.build(boards.load(BOARD), emit(graph), options.out / "same.elf")
    with pytest.raises(ArtifactError, match=f"no {name}: removed while it ran"):
        measure(FakeDevice(graph, check=True, runs=same), options, spy=options.out / "mine.jsonl")
    report = document.read(newest(options.folder) / "report.json")
    assert report["verdict"]["valid"] is False and f"no {name}" in report["incomplete"]
    assert "not valid" in capsys.readouterr().out.lower()


def test_documents_that_are_lost_are_an_error(graph: Graph, options: Options, monkeypatch) -> None:
    write = manifest.write

    def lossy(folder: Path, *arguments: object) -> Path:
        (folder / "report.md").unlink()
        return write(folder, *arguments)

    monkeypatch.setattr(manifest, "write", lossy)
    with pytest.raises(ArtifactError, match=r"no report\.md: removed while it ran"):
        measure(FakeDevice(graph), options)


def test_an_aborted_run_is_the_latest_and_says_so(graph: Graph, options: Options) -> None:
    measure(FakeDevice(graph), options)
    with pytest.raises(BoardError):
        measure(
            FakeDevice(graph, Faults(reset=True, command=START_COMMANDS + 2 * CLASSIFY_COMMANDS, always=True)), options
        )
    assert len(runs(options)) == 2
    report = document.read(options.folder / "latest" / "report.json")
    assert report["incomplete"] and report["verdict"]["valid"] is False


def test_a_replay_is_a_replay_everywhere(graph: Graph, options: Options, capsys) -> None:
    recording = options.out / "t.jsonl"
    measure(FakeDevice(graph), options, spy=recording)
    header, *events = recording.read_text().splitlines(keepends=True)
    recording.write_text(json.dumps({**json.loads(header), "recorded": OLD}) + "\n" + "".join(events))
    capsys.readouterr()
    played = replace(options, port=f"replay:{recording}", mlperf=options.out / "submission")
    command.measure(played)
    words = "REPLAY of traffic recorded 2025-01-02 03:04:05+01:00"
    assert words in capsys.readouterr().out
    folder = newest(options.folder)
    report = document.read(folder / "report.json")
    assert (report["provenance"]["source"], report["provenance"]["recorded"]) == ("replay", OLD)
    assert words in (folder / "report.md").read_text() and words in Page((folder / "report.html").read_text()).text
    (session,) = (options.out / "submission" / "sessions").iterdir()
    for name in ("results.txt", "log.txt"):
        text = (session / "accuracy" / name).read_text()
        assert words in text and "NOT LIVE" in text
    assert (folder / "traffic.jsonl").read_bytes() == recording.read_bytes()
    for rendering in ((folder / "report.md").read_text(), text):
        assert "live at" not in rendering.lower()


def test_a_recording_of_a_replay_is_no_newer(graph: Graph, options: Options) -> None:
    recording, again = options.out / "t.jsonl", options.out / "again.jsonl"
    measure(FakeDevice(graph), options, spy=recording)
    header, *events = recording.read_text().splitlines(keepends=True)
    recording.write_text(json.dumps({**json.loads(header), "recorded": OLD}) + "\n" + "".join(events))
    command.measure(replace(options, port=f"replay:{recording}", spy=again))
    assert json.loads(again.read_text().splitlines()[0])["recorded"] == OLD
    command.measure(replace(options, port=f"spy:{options.out}/third.jsonl:replay:{again}"))
    assert document.read(newest(options.folder) / "report.json")["provenance"]["recorded"] == OLD


def test_an_old_recording_has_no_date(graph: Graph, options: Options, capsys) -> None:
    recording = options.out / "t.jsonl"
    measure(FakeDevice(graph), options, spy=recording)
    header, *events = recording.read_text().splitlines(keepends=True)
    first = {key: value for key, value in json.loads(header).items() if key != "recorded"} | {"version": 1}
    recording.write_text(json.dumps(first) + "\n" + "".join(events))
    command.measure(replace(options, port=f"replay:{recording}"))
    assert "REPLAY of traffic recorded at an unknown time" in capsys.readouterr().out


def test_runs_of_the_same_second_have_names_of_their_own(tmp_path: Path) -> None:
    moment, names = datetime.fromisoformat(NEW), []
    for _ in range(3):
        with run_folder.new_run(tmp_path, ("performance", "accuracy"), moment) as folder:
            (folder / "report.json").write_text("{}")
            names.append(folder.name)
    first = "20261201-021530-performance-accuracy"
    assert names == [first, f"{first}-2", f"{first}-3"]


def test_what_was_recorded_before_an_error_is_kept(tmp_path: Path) -> None:
    moment = datetime.fromisoformat(NEW)
    for name, kept in (("traffic.jsonl", True), ("firmware.elf", False)):
        with (
            pytest.raises(ZeroDivisionError),
            run_folder.new_run(tmp_path / name, ("energy",), moment) as folder,
        ):
            (folder / name).write_text("content")
            raise ZeroDivisionError
        assert folder.exists() == kept == folder.parent.exists()


def test_without_links_the_pointer_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError("no links here")

    monkeypatch.setattr(Path, "symlink_to", refused)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        run_folder.point_to(tmp_path / name)
        assert newest(tmp_path) == newest(tmp_path / "latest") == tmp_path / name
    for wrong in ("", "..", "a/b", "missing"):
        (tmp_path / "latest").write_text(wrong)
        with pytest.raises(ArtifactError, match="should name a run beside it"):
            newest(tmp_path)


def test_a_broken_link_names_the_runs_beside_it(tmp_path: Path) -> None:
    (tmp_path / "b1" / "old").mkdir(parents=True)
    (tmp_path / "b1" / "old" / "report.json").write_text("{}")
    (tmp_path / "b1" / "latest").symlink_to("gone")
    with pytest.raises(ArtifactError, match=f"a broken link.*give {re.escape(str(tmp_path / 'b1' / 'old'))}"):
        newest(tmp_path / "b1")


def test_a_comparison_takes_a_run_or_the_folder_of_a_board(graph: Graph, options: Options) -> None:
    measure(FakeDevice(graph), options)
    measure(FakeDevice(graph), options)
    (first, second), latest = runs(options), options.folder / "latest"
    loaded = load([first, second, options.folder, latest, latest / "report.json", first / "bench.json"])
    assert {run.valid for run in loaded} == {True}
    with pytest.raises(ArtifactError, match=re.escape(str(options.folder))):
        newest(options.out)
    with pytest.raises(ArtifactError, match="run `edgekws bench` first"):
        (options.out / "empty").mkdir()
        newest(options.out / "empty")


def test_the_run_before_is_the_newest_older_one_of_the_same_modes_with_a_report(tmp_path):
    names = (
        "20260101-000000-performance",
        "20260102-000000-performance",
        "20260103-000000-performance",
        "20260102-120000-accuracy",
    )
    for name in names:
        (tmp_path / name).mkdir()
    for name in (names[0], names[3]):
        (tmp_path / name / "report.json").write_text("{}")
    assert run_folder.before(tmp_path / names[2]) == tmp_path / names[0]
    assert run_folder.before(tmp_path / names[0]) is None
