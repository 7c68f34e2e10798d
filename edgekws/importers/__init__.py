"""Importers: files of a foreign integer model become a graph, one module for each format.

A module has one function, the mirror image of its emitter's `emit`, and says which files it reads:

    read(files: Mapping[str, bytes], options: Options = DEFAULTS) -> Graph
    SUFFIXES: tuple[str, ...]              names of files that may be of its format, such as (".tflite",)
    recognizes(content: bytes) -> bool     whether a file of that name is of its format

It may have a third, as emitters do: the runtimes that the format is made for, by name, each int8 [n, height, width *
channels] -> int8 [n, labels].

    executors(files: Mapping[str, bytes]) -> dict[str, Callable[[np.ndarray], np.ndarray]]

`read` raises ArtifactError for files that are not of its format or are damaged, and TargetError, with the layer's name
in the file, for what the graph cannot say exactly. Exporting what it gave gives the same integers again.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgekws import plugins
from edgekws.errors import ArtifactError
from edgekws.features.spec import FeatureSpec
from edgekws.files import read_content

if TYPE_CHECKING:
    from edgekws.graph.ir import Graph


@dataclass(frozen=True)
class Options:
    """What a foreign file does not say. labels: of the scores, in order; by default class0, class1, ... features: the
    front end, if it is known. name: of the graph; by default that of the file.
    """

    labels: tuple[str, ...] = ()
    features: FeatureSpec | None = None
    name: str = ""


DEFAULTS = Options()
BYTES_MAX = 1 << 28
"""A longer file is no model for a microcontroller."""


def load(path: Path, form: str = "", options: Options = DEFAULTS) -> Graph:
    """The graph of a foreign model file. form: an importer; by default the one that recognizes the file.

    Raises ConfigError for a form that does not exist, ArtifactError for a file that none recognizes, DataError for
    features that do not fit the input, and what `read` raises.
    """
    name, content = find(path, form)
    graph: Graph = plugins.load("importers", name).read({path.name: content}, options)
    return graph if options.features is None else graph.with_front_end(options.features)


def find(path: Path, form: str = "") -> tuple[str, bytes]:
    """(importer, content) of a foreign model file. Raises as `load`."""
    hint = f"formats: {', '.join(plugins.typed('importers', name) for name in plugins.names('importers'))}"
    if path.is_file() and path.stat().st_size > BYTES_MAX:
        got = f"{path.stat().st_size:,} bytes"
        raise ArtifactError(f"{path} should be a model of at most {BYTES_MAX:,} bytes", got=got)
    content = read_content(path, "a model of another tool", hint)
    if form:
        return plugins.find("importers", form).name, content
    for name in plugins.names("importers"):
        importer = plugins.load("importers", name)
        if path.suffix.lower() in importer.SUFFIXES and importer.recognizes(content):
            return name, content
    raise ArtifactError(f"{path} should be a model that can be imported", got="another kind of file", hint=hint)


def suffixes() -> set[str]:
    """Ends of the names of files that some importer reads."""
    return {suffix for name in plugins.names("importers") for suffix in plugins.load("importers", name).SUFFIXES}
