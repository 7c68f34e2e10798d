"""`edgekws verify`: whether the files of a run are complete, unchanged, and say what follows from the measurement."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from edgekws.cli import console
from edgekws.errors import ArtifactError

if TYPE_CHECKING:
    from edgekws.report.session_check import Finding

_MARKS = {"ok": "[green]ok[/]", "warning": "[yellow]warning[/]", "error": "[red]ERROR[/]"}


def verify(
    runs: Annotated[list[Path], typer.Argument(help="Folders of runs or boards, or session folders of MLPerf Tiny.")],
) -> None:
    """Check that the files of a run are complete and unchanged, and that its report follows from them.

    Of a run: the names of its files and every file against its hash in manifest.json, files that are missing or were
    added, the schemas, every figure computed again from bench.json, report.json from bench.json, report.md and
    report.html from report.json, options, versions and times against each other, the build id, hash and sizes of
    firmware.elf, the graph and its memory plan. With the recorded traffic: answers, time stamps and the hash of the
    clips. Of a session of MLPerf Tiny, ours or the runner's: the published rules. Exit code 8 when a check fails. A
    replay, an imported trace and pages of another version are warnings.

    It cannot show who wrote the files: whoever invents a whole run, its traffic, dates and manifest included, passes.
    Keep or sign the hash of the manifest where that matters.

    Example: `edgekws verify work/dscnn/bench/qemu-an386`
    """
    failed: list[str] = []
    for path in runs:
        folder, results = _results(path)
        for finding in results:
            mark = _MARKS[finding.level]
            console.out.print(f"{mark}  {escape(finding.what)}: {escape(finding.got)}")
        errors = [finding.what for finding in results if finding.level == "error"]
        count = f"{len(results)} checks, {len(errors)} failed"
        console.out.print(f"[bold]{escape(str(folder))}[/]: {count}")
        failed += [f"{folder}: {what}" for what in errors]
    if failed:
        raise ArtifactError("every check should hold", got="; ".join(failed), hint="see the lines above")


def _results(path: Path) -> tuple[Path, Sequence[Finding]]:
    """(the folder that is meant, its findings). Raises ArtifactError for a folder of another kind."""
    from edgekws.report import session_check
    from edgekws.report.bundle import run_folder

    if path.is_file() and path.name != run_folder.LATEST:
        hint = f"give {path.parent}"
        raise ArtifactError(f"{path} should be the folder of a run", got="a file", hint=hint)
    if _is_session(path):
        return path, session_check.findings(path)
    folder = run_folder.newest(path)
    return folder, _of_run(folder)


def _is_session(path: Path) -> bool:
    return any((path / mode / "results.txt").is_file() for mode in ("", "performance", "accuracy", "energy"))


def _of_run(folder: Path) -> list[Finding]:
    from edgekws.report import document
    from edgekws.report.bundle import run_folder
    from edgekws.report.bundle import verify as bundle
    from firmware_io.bench import evidence

    results = bundle.findings(folder)
    try:
        bench = document.read(folder / run_folder.BENCH)
    except ArtifactError:  # bundle.findings says it
        return results
    return [*results, *evidence.findings(folder, bench)]
