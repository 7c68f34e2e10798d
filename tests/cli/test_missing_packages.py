"""The base install: what works without the packages of the extras, and what a command says that needs one."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
import wave
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

from edgekws import errors
from edgekws.errors import MissingPackageError, missing_package

ROOT = Path(__file__).resolve().parents[2]
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
HIDDEN = sorted(module for modules in errors.EXTRAS.values() for module in modules)
HIDE = f"""
import sys
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {HIDDEN!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Hidden())
from edgekws.cli import main
main()
"""
CLIPS = ["--out", "dscnn", "--vectors", "dscnn"]
BENCH = ["bench", "--board", "host", "--mode", "accuracy", "--clips", "3", *CLIPS]
WORKS = [
    ["boards"],
    ["models"],
    ["check", "dscnn"],
    ["export", "--format", "c", *CLIPS],
    ["flash", "--board", "host", "--out", "dscnn", "--dry-run"],
    ["select", "run", "--list"],
]
REFUSED = [
    (["export", *CLIPS], "onnx", "export"),
    (["data", "prepare", "--source", "folder", "--root", "recordings"], "soundfile", "train"),
    (["check", "models/dscnn/float.safetensors"], "torch", "train"),
    (["embed", "recordings", "--out", "vectors"], "pyarrow", "select"),
    (["import", "their.keras", "--out", "their", "--calibration", "clips.npy"], "tensorflow", "tensorflow"),
    (["select", "convert", "train.yaml", "train.json"], "yaml", "select"),
]


def run(folder: Path, arguments: list[str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", HIDE, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)


def record(path: Path) -> None:
    """One second of silence at 16 kHz."""
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16_000, 16_000, "NONE", ""))
        file.writeframes(bytes(32_000))


@pytest.mark.parametrize("arguments", WORKS, ids=" ".join)
def test_the_base_install_is_enough(arguments: list[str], tmp_path: Path) -> None:
    done = run(tmp_path, arguments)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_bench_says_which_extra_adds_the_page(tmp_path: Path) -> None:
    done = run(tmp_path, BENCH)
    assert done.returncode == 0, done.stdout + done.stderr
    folder = tmp_path / "work" / "released" / "dscnn" / "bench" / "host" / "latest"
    assert {path.name for path in folder.glob("report.*")} == {"report.json", "report.md"}
    assert 'pip install "edgekws[report]"' in done.stderr
    assert json.loads((folder / "report.json").read_text())["verdict"]["valid"]


@pytest.mark.parametrize(("arguments", "package", "extra"), REFUSED, ids=lambda value: str(value)[:40])
def test_a_missing_extra_is_named_in_one_paragraph(
    arguments: list[str], package: str, extra: str, tmp_path: Path
) -> None:
    (tmp_path / "recordings" / "yes").mkdir(parents=True)
    for number in range(12):  # enough for a clip in each split
        record(tmp_path / "recordings" / "yes" / f"{number}_nohash_0.wav")
    (tmp_path / "train.yaml").write_text("targets: {}")
    (tmp_path / "their.keras").write_bytes(b"PK\x03\x04")
    np.save(tmp_path / "clips.npy", np.zeros((1, 49, 10), np.float32))
    done = run(tmp_path, arguments)
    message = " ".join(done.stderr.split())
    assert done.returncode == errors.ConfigError.exit_code, message
    assert "Traceback" not in message
    assert f"needs the package {package}" in message and f'pip install "edgekws[{extra}]"' in message


def test_with_debug_the_stack_trace_is_shown(tmp_path: Path) -> None:
    assert "Traceback" in run(tmp_path, ["--debug", "export", *CLIPS]).stderr


def test_a_module_of_no_extra_is_an_error_of_ours() -> None:
    assert missing_package(ModuleNotFoundError(name="edgekws.nothing")) is None
    found = missing_package(ModuleNotFoundError(name="onnx.helper"))
    assert isinstance(found, MissingPackageError) and found.extra == "export"


def bare(requirement: str) -> str:
    """The name of a requirement, without extras of its own and versions."""
    for sign in "[<>=! ;":
        requirement = requirement.partition(sign)[0]
    return requirement.lower().replace("_", "-")


DISTRIBUTIONS = {"piper": "piper-tts"}
"""Of modules that need not be installed here and have another name."""


def test_the_table_of_modules_is_that_of_the_extras() -> None:
    installed = metadata.packages_distributions()
    for extra, modules in errors.EXTRAS.items():
        listed = {bare(requirement) for requirement in EXTRAS[extra]}
        for module in modules:
            distributions = {bare(name) for name in installed.get(module, [DISTRIBUTIONS.get(module, module)])}
            assert distributions & listed, f"edgekws[{extra}] lacks {module}"


def test_all_has_every_extra_but_the_gpl_one_and_the_largest() -> None:
    left_out = {"ppk2", "joulescope", "otii", "tensorboard", "wandb", "mlflow", "tensorflow", "torchaudio"}
    left_out |= {"speech", "kokoro"}
    named = set(EXTRAS["all"][0].removeprefix("edgekws[").removesuffix("]").split(","))
    assert named == set(EXTRAS) - {"all", "dev", "docs"} - left_out
    assert not any(gpl in text for gpl in ("ppk2", "piper") for extra in named for text in EXTRAS[extra])
