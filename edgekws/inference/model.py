"""Any file that holds a model of ours: its labels, its front end, and what else it says of itself.

graph.npz                    the integer graph
*.onnx, *.tflite             an exported file, whose metadata has labels, front end and scales
float/best.safetensors       the trained float network
a folder                     its graph.npz, else its float/best.safetensors
a name                       a released model
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekws import models, plugins
from edgekws.errors import ArtifactError, ConfigError, unknown
from edgekws.features.spec import FeatureSpec, UnknownFeatures, from_json, known
from edgekws.files import read_content, sha256
from edgekws.graph import io

if TYPE_CHECKING:
    from edgekws.graph.ir import Graph
    from edgekws.training.trained import Trained

GRAPH, FLOAT = "graph", "float"
"""Kinds of models besides the exported ones, which are named by their emitter."""
CHECKPOINT = Path("float") / "best.safetensors"
_SUFFIXES = {".npz": GRAPH, ".safetensors": FLOAT}
_EXPECTED = (
    "a model should be a model folder, graph.npz, an exported .onnx or .tflite, a checkpoint, or a released model"
)


@dataclass(frozen=True)
class Model:
    """A model as it was read from `path`.

    kind: GRAPH, FLOAT, or the emitter of an exported file. sha256: of the graph (also that of an exported file), or of
    the checkpoint. score_scale: real value of one step of the int8 scores; 0 for a float network. gives_probabilities:
    whether scores are probabilities already.
    graph, files, about, trained: of a graph; of an exported file, its content and metadata; of a float network.
    """

    path: Path
    kind: str
    name: str
    labels: tuple[str, ...]
    inputs: FeatureSpec | UnknownFeatures
    sha256: str
    score_scale: float = 0.0
    graph: Graph | None = None
    files: Mapping[str, bytes] = field(default_factory=dict)
    about: Mapping[str, str] = field(default_factory=dict)
    trained: Trained | None = None
    gives_probabilities: bool = False

    @property
    def features(self) -> FeatureSpec:
        """The front end of its inputs. Raises DataError where it is not known."""
        return known(self.inputs, self.name)

    @property
    def folder(self) -> Path:
        """The model folder that the file lies in, where results of its steps may be found."""
        inner = self.path.parent.name in ("float", "export")
        return self.path.parent.parent if inner else self.path.parent


def read(path: Path) -> Model:
    """Read the model that `path` names.

    Raises ConfigError for a path that is none, ArtifactError for a damaged or foreign file.
    """
    file = _file(models.find(path))
    kind = _SUFFIXES.get(file.suffix.lower())
    if kind == GRAPH:
        return of_graph(io.load(file), file)
    if kind == FLOAT:
        return _of_checkpoint(file)
    return _exported(file)


def of_graph(graph: Graph, path: Path = Path("graph")) -> Model:
    """The model that a graph is."""
    digest = io.digest(graph)
    return Model(
        path, GRAPH, graph.name, graph.labels, graph.features, digest, graph.score_scale, graph,
        gives_probabilities=graph.gives_probabilities,
    )  # fmt: skip


def _file(path: Path) -> Path:
    """The file to read. Raises ConfigError when there is none."""
    if path.is_dir():
        choices = [path / models.GRAPH, path / CHECKPOINT]
        file = next((choice for choice in choices if choice.exists()), None)
        if file is None:
            hint = f"run edgekws train --out {path}, then edgekws quantize --out {path}"
            raise ConfigError(
                f"{path} should be a model folder", got=f"no {models.GRAPH} and no {CHECKPOINT}", hint=hint
            )
        return file
    known = {*_SUFFIXES, *_exporters()}
    if path.exists() and path.suffix.lower() in known:
        return path
    if not path.exists() and path.suffix.lower() not in known and len(path.parts) == 1:
        hint = "give the path of a model, or a model of edgekws models"
        raise ConfigError(unknown("model", str(path), models.names()), hint=hint)
    got = str(path) if path.exists() else f"{path}, which does not exist"
    raise ConfigError(_EXPECTED, got=got, hint=f"released models: {', '.join(models.names())}")


def _exporters() -> dict[str, list[str]]:
    """Suffix -> emitters whose files say what they are."""
    suffixes: dict[str, list[str]] = {}
    for name in plugins.names("emitters"):
        emitter = plugins.load("emitters", name)
        if hasattr(emitter, "about"):
            suffixes.setdefault(Path(emitter.FILE).suffix, []).append(name)
    return suffixes


def _of_checkpoint(file: Path) -> Model:
    from edgekws import pipeline

    trained = pipeline.load_trained(file)
    name = trained.recipe.name
    return Model(file, FLOAT, name, trained.labels, trained.features, trained.sha256, trained=trained)


def _exported(file: Path) -> Model:
    """A file that an emitter wrote, whatever its name is now."""
    content = read_content(file, "an exported model", "run edgekws export")
    names = _exporters().get(file.suffix.lower(), [])
    kinds = [name for name in names if f"edgekws-seal {plugins.load('emitters', name).KIND} ".encode() in content]
    if not kinds:
        raise ArtifactError(
            f"{file} should be a file that edgekws export wrote",
            got=f"another one, SHA-256 {sha256(content)[:12]}, whose labels and front end are not known",
            hint="run edgekws import on it first, or give a file that edgekws export wrote, or the graph.npz",
        )
    emitter = plugins.load("emitters", kinds[0])
    files = {emitter.FILE: content}
    return _described(file, kinds[0], emitter.about(files), files)


def _described(file: Path, kind: str, about: Mapping[str, str], files: Mapping[str, bytes]) -> Model:
    """Raises ArtifactError for metadata that lacks something."""
    try:
        scales: dict[str, Any] = json.loads(about["output_scales"])
        labels: list[Any] = json.loads(about["labels"])
        features, scale = json.loads(about["features"]), float(list(scales.values())[-1])
        name, digest = about["graph_name"], about["graph_sha256"]
    except (KeyError, ValueError, IndexError, AttributeError, TypeError) as error:
        raise ArtifactError(f"{file} should describe its model", got=f"{error!r}", hint="export it again") from error
    spec = from_json(features)
    ends = about.get("scores") == "probabilities"
    return Model(
        file, kind, name, tuple(map(str, labels)), spec, digest, scale, files=files, about=about,
        gives_probabilities=ends,
    )  # fmt: skip
