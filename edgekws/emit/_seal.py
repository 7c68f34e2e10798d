"""Kind, version and hash of our files, kept inside foreign formats.

ONNX and TFLite files carry the text `edgekws-seal KIND VERSION HASH` in their metadata. HASH is the
sha256 of the whole file with the hash itself written as zeros, so damage is found before any parser runs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from edgekws._version import __version__
from edgekws.errors import ArtifactError
from edgekws.files import sha256
from edgekws.graph import io
from edgekws.graph.ir import Graph

_ZEROS = "0" * 64
PROBABILITIES = "probabilities"
"""The entry `scores` of models that end in a softmax."""
_SEAL = re.compile(rb"edgekws-seal ([a-z0-9_]+) (\d+) ([0-9a-f]{64})")


def describe(graph: Graph, kind: str, version: int, note: str) -> dict[str, str]:
    """The metadata of every file, with zeros in place of the hash. Values are text or JSON."""
    return {
        "seal": f"edgekws-seal {kind} {version} {_ZEROS}",
        "edgekws_version": __version__,
        "graph_sha256": io.digest(graph),
        "graph_name": graph.name,
        "target": graph.target,
        "rounding": note,
        "labels": json.dumps(graph.labels),
        "features": json.dumps(graph.features.to_json(), sort_keys=True),
        "input_scale": repr(graph.input_scale),
        "output_scales": json.dumps({node.name: node.out_scale for node in graph.nodes}),
        **({"scores": PROBABILITIES} if graph.gives_probabilities else {}),
    }


def with_hash(content: bytes) -> bytes:
    """Write the hash of `content` into its seal. Raises ArtifactError unless there is exactly one seal."""
    seals = list(_SEAL.finditer(content))
    if len(seals) != 1 or seals[0][3] != _ZEROS.encode():
        raise ArtifactError("a file to be written should hold one open seal", got=f"{len(seals)} seals")
    return content[: seals[0].start(3)] + sha256(content).encode() + content[seals[0].end(3) :]


def verified(files: Mapping[str, bytes], name: str, kind: str, version: int) -> bytes:
    """The undamaged content of `name`. Raises ArtifactError for any other kind, version or content."""
    if name not in files:
        raise ArtifactError(f"{name} should be among the files", got=", ".join(sorted(files)) or "none")
    content = files[name]
    match = _SEAL.search(content)
    expected = f"{name} should be an edgekws {kind} file of version {version}"
    if match is None:
        raise ArtifactError(expected, got="a file without a seal of edgekws", hint="export it again")
    seals = f"{match[1].decode()} version {match[2].decode()}"
    if seals != f"{kind} version {version}":
        raise ArtifactError(expected, got=seals, hint="export it again, or use the edgekws that wrote it")
    if sha256(content[: match.start(3)] + _ZEROS.encode() + content[match.end(3) :]) != match[3].decode():
        raise ArtifactError(f"{name} should match the hash inside it", got="changed content", hint="export it again")
    return content
