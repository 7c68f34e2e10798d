"""schema.json, generated from the types in document.py, comparison.py and run_manifest.py.

python -m edgekws.report.schema      write it again
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel

from edgekws.files import write_json
from edgekws.report import comparison, run_manifest
from edgekws.report.comparison import Comparison
from edgekws.report.document import VERSION, Bench, ReportDocument
from edgekws.report.run_manifest import RunManifest

SCHEMA = Path(__file__).with_name("schema.json")
Row = dict[str, Any]
_DOCUMENTS: tuple[type[BaseModel], ...] = (ReportDocument, Bench, Comparison, RunManifest)


def schema() -> Row:
    """JSON Schema (2020-12) of all documents."""
    shared: Row = {}
    for model in _DOCUMENTS:
        described = model.model_json_schema(mode="validation", ref_template="#/$defs/{model}")
        shared |= {**described.pop("$defs"), model.__name__: described}
    others = (f"{room.KIND}, version {room.VERSION}" for room in (comparison, run_manifest))
    title = "; ".join((f"edgekws-report and edgekws-bench, version {VERSION}", *others))
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        "oneOf": [{"$ref": f"#/$defs/{model.__name__}"} for model in _DOCUMENTS],
        "$defs": dict(sorted(shared.items())),
    }


if __name__ == "__main__":
    write_json(SCHEMA, schema())
