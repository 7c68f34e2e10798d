"""manifest.json of a run: every file with its hash, and what made them. Its fields are in report/run_manifest.py."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from edgekws._version import __version__
from edgekws.errors import ArtifactError
from edgekws.files import read_json, sha256_file, write_json, writing
from edgekws.report.bundle import pages
from edgekws.report.bundle.run_folder import BENCH, REPORT
from edgekws.report.run_manifest import KIND, VERSION, RunManifest

NAME = "manifest.json"
Row = dict[str, Any]


def write(folder: Path, bench: Mapping[str, Any], options: Mapping[str, Any], compiler: str) -> Path:
    """Write the manifest of the run in `folder`, whose other files are complete. Returns its path.

    bench: its `edgekws-bench` document. Raises ArtifactError when that fails.
    """
    provenance = bench["provenance"]
    versions = {"edgekws": __version__, "python": platform.python_version()}
    versions |= {"compiler": compiler, "emulator": provenance["emulator"], "matplotlib": pages.drawn_by()}
    with writing(folder / NAME):
        described = {name: {"sha256": sha256_file(path), "bytes": path.stat().st_size} for name, path in files(folder)}
    document = {
        "kind": KIND,
        "version": VERSION,
        "run_id": provenance["run_id"],
        "provenance": provenance,
        "build": bench["build"],
        "versions": versions,
        "options": dict(options),
        "files": described,
    }
    write_json(folder / NAME, document)
    return folder / NAME


def files(folder: Path) -> list[tuple[str, Path]]:
    """Every file below `folder` by its path in it, but for the manifest; sorted."""
    paths = (path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
    return sorted((path.relative_to(folder).as_posix(), path) for path in paths if path != folder / NAME)


def read(folder: Path) -> Row:
    """The manifest of a run. Raises ArtifactError when it is missing, or not as schema.json says."""
    path = folder / NAME
    if not path.is_file() and any((folder / name).is_file() for name in (REPORT, BENCH)):
        expected = f"{folder} should have the manifest of its run, {NAME}"
        hint = "without it nothing shows that its files are whole: bench again"
        raise ArtifactError(expected, got="none: an older edgekws wrote the run, or the file was deleted", hint=hint)
    value = read_json(path, KIND, VERSION, hint="give the folder of a run of `edgekws bench`")
    try:
        RunManifest.model_validate_json(json.dumps(value))
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        place = ascii(".".join(map(str, problem["loc"])))[1:-1][:120]
        raise ArtifactError(f"{path} should be as schema.json says", got=f"{place}: {problem['msg']}") from error
    return value
