"""A package with one plugin of each kind, installed beside edgekws or named by EDGEKWS_PLUGINS, is found and used."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edgekws import plugins
from edgekws.cli.plugins import KIND, VERSION

ROOT = Path(__file__).resolve().parents[2]
OUTSIDE = Path(__file__).with_name("outside")
NAMES = {
    "sources": "every_tenth",
    "speech_engines": "whistle",
    "networks": "one_layer",
    "targets": "bytes_only",
    "emitters": "graph_file",
    "importers": "graph_file",
    "engines": "blocks",
    "vendors": "archive",
    "encoders": "log_energy",
    "trackers": "json_lines",
    "embeddings": "loudness",
    "selectors": "in_order",
    "shard_methods": "first_rows",
    "workers": "backwards",
    "boards": "outside-host",
    "bench_modes": "repeat",
    "transports": "process",
    "flash_tools": "process",
    "meters": "constant",
}


@pytest.fixture(scope="session")
def installed(tmp_path_factory) -> Path:
    """The folder that the package was installed into, from a copy: building writes beside the sources."""
    folder = tmp_path_factory.mktemp("installed")
    shutil.copytree(OUTSIDE, folder / "source", ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation"]
    command += ["--disable-pip-version-check", "--target", str(folder / "site"), str(folder / "source")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder / "site"


def environment(*paths: Path, **changes: str) -> dict[str, str]:
    path = os.pathsep.join(map(str, (*paths, ROOT)))
    kept = {name: value for name, value in os.environ.items() if name not in (plugins.VARIABLE, plugins.OLD_VARIABLE)}
    return {**kept, "PYTHONPATH": path, **changes}


def edgekws(*arguments: str, env: dict[str, str], cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edgekws", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=env, cwd=cwd)


def listed(done: subprocess.CompletedProcess[str]) -> list[dict[str, str]]:
    document = json.loads(done.stdout)
    assert (document["kind"], document["version"]) == (KIND, VERSION)
    return document["plugins"]


def test_the_package_has_one_of_each_kind():
    assert set(NAMES) == set(plugins.KINDS)


def test_each_is_found_by_its_entry_point(installed, tmp_path):
    done = edgekws("plugins", "--json", env=environment(installed), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = [row for row in listed(done) if row["origin"] == "edgekws-outside 1.2.3"]
    assert {row["kind"]: row["name"] for row in rows} == NAMES
    assert len(rows) == len(NAMES) and all(row["description"] and not row["problem"] for row in rows)
    assert all(Path(row["path"]).is_relative_to(installed) for row in rows)


def test_each_is_found_by_the_environment_variable(tmp_path):
    env = environment(OUTSIDE, EDGEKWS_PLUGINS="edgekws_outside", PYTHONDONTWRITEBYTECODE="1")
    rows = [row for row in listed(edgekws("plugins", "--json", env=env, cwd=tmp_path)) if "outside" in row["path"]]
    assert {row["kind"]: row["name"] for row in rows if row["origin"] == plugins.VARIABLE} == NAMES


def test_what_is_broken_is_listed_with_its_reason_and_an_exit_code(installed, tmp_path):
    folder = tmp_path / "broken_package" / "meters"
    folder.mkdir(parents=True)
    (folder / "half.py").write_text('"""Half a meter."""\n')
    env = environment(installed, tmp_path, EDGEKWS_PLUGINS="broken_package,not_there")
    done = edgekws("plugins", "meters", "--json", env=env, cwd=tmp_path)
    assert done.returncode == 4
    problems = {row["name"]: row["problem"] for row in listed(done) if row["problem"]}
    assert set(problems) == {"half", "not_there"} and "should define CAPABILITIES" in problems["half"]
    shown = edgekws("plugins", "meters", env=env, cwd=tmp_path)
    assert shown.returncode == 4 and "broken: there is no such package" in shown.stdout
    assert "constant current" not in shown.stderr and "edgekws-outside 1.2.3" in shown.stdout


def test_a_kind_that_does_not_exist(tmp_path):
    done = edgekws("plugins", "meter", env=environment(), cwd=tmp_path)
    assert done.returncode == 4 and "did you mean meters?" in " ".join(done.stderr.split())


@pytest.fixture
def model(tmp_path) -> Path:
    shutil.copy(ROOT / "models" / "dscnn" / "graph.npz", tmp_path / "graph.npz")
    return tmp_path


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
def test_board_flash_tool_transport_and_mode_run_a_bench(installed, model):
    options = ["--board", "outside-host", "--out", ".", "--vectors", str(ROOT / "models/dscnn/golden.npz")]
    done = edgekws(
        "bench", *options, "--clips", "3", "--mode", "repeat,accuracy", env=environment(installed), cwd=model
    )
    assert done.returncode == 0, done.stderr
    report = json.loads((model / "bench" / "outside-host" / "latest" / "report.json").read_text())
    assert report["modes"] == ["accuracy", "repeat"] and report["verdict"]["valid"]
    figures = {figure["name"]: figure["value"] for figure in report["figures"]}
    assert figures["clips answered alike twice"] == 2


def test_the_meter_gives_the_joules_of_an_inference(installed, model):
    options = ["--board", "outside-host", "--out", ".", "--mode", "energy", "--meter", "constant:0.01"]
    done = edgekws("bench", *options, "--iterations", "10", env=environment(installed), cwd=model)
    report = json.loads((model / "bench" / "outside-host-energy" / "latest" / "report.json").read_text())
    assert report["energy"]["uj_per_inference"] == pytest.approx(0.01 * 3 * 1e6 / 10), done.stderr


@pytest.mark.slow
def test_each_passes_the_suite_of_its_kind(tmp_path):
    """The suites find it by themselves when it is named; those of the built-in plugins run anyway, without it."""
    env = environment(OUTSIDE, EDGEKWS_PLUGINS="edgekws_outside", PYTHONDONTWRITEBYTECODE="1")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:benchmark", "-p", "no:cacheprovider", "-n", "0"]
    command += ["-k", " or ".join(sorted(name.replace("-", "_") for name in set(NAMES.values()) - {"outside-host"}))]
    command += [
        f"--basetemp={tmp_path / 'inner'}",
        "tests/conformance",
        "--ignore=tests/conformance/test_every_kind.py",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env, cwd=ROOT)
    assert done.returncode == 0, done.stdout[-3000:]
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) > 40, done.stdout[-500:]
