"""The set-up script: what it says to install, when it has nothing to do, and whose environment it leaves alone."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "setup.py"


@pytest.fixture
def setup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, for an environment in an empty folder."""
    spec = importlib.util.spec_from_file_location("edgekws_setup", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name in ("TORCH", "TORCH_INDEX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(module, "PYTHON", tmp_path / "python")
    monkeypatch.setattr(module, "STAMP", tmp_path / "stamp")
    monkeypatch.setattr(module, "works", lambda: True)
    (tmp_path / "python").touch()
    return module


@pytest.mark.parametrize(
    ("manager", "command"),
    [("apt-get", "apt-get install .* gcc-arm-none-eabi$"), ("brew", "brew install --cask gcc-arm")],
)
def test_a_missing_program_is_named_by_its_package(
    manager: str, command: str, setup: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(setup.shutil, "which", lambda program: program if program == manager else None)
    assert re.search(command, setup.hint("arm-none-eabi-gcc"))


def test_the_build_of_torch_that_is_asked_for_decides(setup: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    setup.STAMP.write_text(setup.fingerprint())
    monkeypatch.setattr(setup, "installed_torch", lambda: ("2.13.0", "cpu"))
    assert setup.ready()
    monkeypatch.setenv("TORCH", "cpu")
    assert setup.ready()
    monkeypatch.setenv("TORCH", "cuda")
    assert not setup.ready()
    calls: list[tuple[str, ...]] = []
    monkeypatch.setattr(setup, "pip", lambda *arguments: calls.append(arguments))
    setup.torch()
    assert "--force-reinstall" in calls[0] and calls[0][-1].startswith("torch==")


@pytest.mark.parametrize("shared", [True, False])
def test_an_environment_of_another_clone_is_noticed(
    shared: bool, setup: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = json.dumps({"url": f"file://{tmp_path if shared else setup.HERE}", "dir_info": {"editable": True}})
    answer = SimpleNamespace(returncode=0, stdout=url)
    monkeypatch.setattr(setup.subprocess, "run", lambda *_, **__: answer)
    assert setup.owner() == (tmp_path if shared else None)
