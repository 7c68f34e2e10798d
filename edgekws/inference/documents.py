"""The part that the JSON documents of predictions and evaluations share."""

from __future__ import annotations

from typing import Any

from edgekws.inference.classifier import Classifier


def subject(classifier: Classifier) -> dict[str, Any]:
    """Which model answered, and what ran it."""
    model = classifier.model
    return {
        "model": {
            "path": str(model.path),
            "kind": model.kind,
            "name": model.name,
            "sha256": model.sha256,
            "labels": list(model.labels),
        },
        "on": classifier.on,
        "runtime": classifier.runtime,
        "note": classifier.note,
    }
