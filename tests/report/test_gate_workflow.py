"""The workflow in docs/how-to/compare.md: its commands, run as they are, for the main branch and then for a change."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from firmware_io import board as boards

HOME = Path(__file__).resolve().parents[2]
GUIDE = HOME / "docs" / "how-to" / "compare.md"
BOARD = boards.load("qemu-an386")
pytestmark = pytest.mark.skipif(
    any(shutil.which(program) is None for program in (BOARD.compiler, BOARD.qemu_program)),
    reason="the emulated board needs its compiler and QEMU",
)
STEP = re.compile(
    r"^      - (?:run: (?P<run>.*)|uses: (?P<uses>\S+))(?:\n        if: (?P<condition>.*))?", re.MULTILINE
)


def steps(event):
    """The commands of an event, without those that install."""
    text = GUIDE.read_text()
    workflow = re.search(r"```yaml\n(on: .*?)```", text, re.DOTALL)[1]
    runs = [match for match in STEP.finditer(workflow) if match["run"]]
    chosen = [match["run"] for match in runs if event in (match["condition"] or event)]
    return [command for command in chosen if "install" not in command]


def rules():
    """gate.toml, as the guide prints it."""
    return re.search(r'```toml\n(kind = "edgekws-gate".*?)```', GUIDE.read_text(), re.DOTALL)[1]


def shell(command, folder):
    (folder / "bin").mkdir(exist_ok=True)
    script = folder / "bin" / "edgekws"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m edgekws "$@"\n')
    script.chmod(0o755)
    path = [str(HOME), *filter(None, [os.environ.get("PYTHONPATH")])]
    settings = {
        "PATH": f"{script.parent}:{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(path),
        "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
    }
    return subprocess.run(
        ["bash", "-e", "-c", command], cwd=folder, env={**os.environ, **settings}, capture_output=True, text=True,
        check=False, timeout=300,
    )  # fmt: skip


@pytest.fixture(scope="module")
def main_branch(tmp_path_factory):
    """A repository with a model and rules, after the job of the main branch."""
    folder = tmp_path_factory.mktemp("workflow")
    shutil.copytree(HOME / "models" / "dscnn", folder / "kws")
    (folder / "gate.toml").write_text(rules())
    for command in steps("push"):
        done = shell(command, folder)
        assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_the_workflow_has_the_steps_that_are_run():
    assert [command.split()[0] for command in steps("push")] == ["edgekws", "cp"]
    assert [command.split()[:2] for command in steps("pull_request")] == [
        ["edgekws", "bench"], ["edgekws", "compare"], ["cat", "compare/compare.md"],
    ]  # fmt: skip


@pytest.mark.slow
def test_a_change_without_effect_passes(main_branch):
    """Its bench is the command that the main branch has run."""
    bench, *rest = steps("pull_request")
    assert bench == steps("push")[0]
    for command in rest:
        done = shell(command, main_branch)
        assert done.returncode == 0, done.stdout + done.stderr
    summary = (main_branch / "summary.md").read_text()
    assert "## Gate: PASS (2 passed)" in summary and "| **PASS** | instructions > +1 % |" in summary
    outcomes = json.loads((main_branch / "compare" / "compare.json").read_text())["gate"]["outcomes"]
    assert [(one["amount"], one["refused"], one["unchecked"]) for one in outcomes] == [(0.0, [], [])] * 2
    assert outcomes[1]["high"] < 0.09  # of the answers to each clip; two totals of 45 in 48 leave 0.11


@pytest.mark.slow
def test_a_slower_build_fails_and_is_in_the_summary(main_branch):
    """The plan of --min-ram computes more and takes less memory."""
    bench, compare, summary = steps("pull_request")
    done = shell(f"{bench} --min-ram", main_branch)
    assert done.returncode == 0, done.stdout + done.stderr
    failed = shell(compare, main_branch)
    assert failed.returncode == 10 and "FAIL    instructions > +1 %" in failed.stdout
    assert "error: every rule should hold" in failed.stderr
    shell(summary, main_branch)
    assert "## Gate: FAIL (1 failed, 1 passed)" in (main_branch / "summary.md").read_text()
    refused = shell('edgekws compare base kws/bench/qemu-an386 --fail-if "latency > +1 %"', main_branch)
    assert refused.returncode == 11 and "error: every rule should compare runs of the same conditions" in refused.stderr
