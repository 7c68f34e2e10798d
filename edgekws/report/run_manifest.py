"""The `edgekws-run` document, version 1, as a type: manifest.json of a run. bundle/manifest.py writes and reads it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from edgekws.report.document import Build, Provenance

KIND, VERSION = "edgekws-run", 1
_CONFIG = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)


class File(BaseModel):
    """Content of one file."""

    model_config = _CONFIG

    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    bytes: int = Field(ge=0)


class Versions(BaseModel):
    """Of the programs that made figures and plots; "" for one that was not used, or is not known."""

    model_config = _CONFIG

    edgekws: str
    python: str
    compiler: str
    emulator: str
    matplotlib: str = ""


class RunManifest(BaseModel):
    """`edgekws-run`. options: of `edgekws bench`, by their names. files: path below the folder, but for this file."""

    model_config = _CONFIG

    kind: Literal["edgekws-run"]
    version: Literal[1]
    run_id: str
    provenance: Provenance
    build: Build
    versions: Versions
    options: dict[str, Any]
    files: dict[str, File] = Field(min_length=1)
