"""schema.json, generated from the types in document.py.

python -m edgekws.report.schema      write it again
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgekws.files import write_json
from edgekws.report.document import VERSION, Bench, ReportDocument

SCHEMA = Path(__file__).with_name("schema.json")
Row = dict[str, Any]


def schema() -> Row:
    """JSON Schema (2020-12) of both documents."""
    report, bench = (
        model.model_json_schema(mode="validation", ref_template="#/$defs/{model}") for model in (ReportDocument, Bench)
    )
    shared = {**report.pop("$defs"), **bench.pop("$defs")}
    shared |= {"ReportDocument": report, "Bench": bench}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"edgekws-report and edgekws-bench, version {VERSION}",
        "oneOf": [{"$ref": "#/$defs/ReportDocument"}, {"$ref": "#/$defs/Bench"}],
        "$defs": dict(sorted(shared.items())),
    }


if __name__ == "__main__":
    write_json(SCHEMA, schema())
