"""Importers: files of a foreign integer model become a graph, one module for each format.

A module has one function, the mirror image of its emitter's `emit`, and says which files it reads:

    read(files: Mapping[str, bytes], options: Options = DEFAULTS) -> Graph
    SUFFIXES: tuple[str, ...]              names of files that may be of its format, such as (".tflite",)
    recognizes(content: bytes) -> bool     whether a file of that name is of its format

It may have a third, as emitters do: the runtimes that the format is made for, by name, each int8 [n, height, width *
channels] -> int8 [n, labels].

    executors(files: Mapping[str, bytes]) -> dict[str, Callable[[np.ndarray], np.ndarray]]

An importer of float models has `convert`, which makes an int8 file of another importer's format with
`options.calibration`; its `read` reads that file.

    convert(files: Mapping[str, bytes], options: Options) -> dict[str, bytes]

`read` raises ArtifactError for files that are not of its format or are damaged, and TargetError, with the layer's name
in the file, for what the graph cannot say exactly. Exporting what it gave gives the same integers again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from edgekws import plugins
from edgekws.errors import ArtifactError, ConfigError
from edgekws.features.spec import FeatureSpec
from edgekws.files import read_content

if TYPE_CHECKING:
    import numpy as np

    from edgekws.graph.ir import Graph


@dataclass(frozen=True)
class Options:
    """What a foreign file does not say. labels: of the scores, in order; by default class0, class1, ... features: the
    front end, if it is known. name: of the graph; by default that of the file. calibration: of a float model, clips
    float [n, ...] in the units that it was trained on.
    """

    labels: tuple[str, ...] = ()
    features: FeatureSpec | None = None
    name: str = ""
    calibration: np.ndarray | None = field(default=None, compare=False)


DEFAULTS = Options()
BYTES_MAX = 1 << 28
"""A longer file is no model for a microcontroller."""


def load(path: Path, form: str = "", options: Options = DEFAULTS) -> Graph:
    """The graph of a foreign model file. form: an importer; by default the one that recognizes the file.

    Raises ConfigError for a form that does not exist, ArtifactError for a file that none recognizes, DataError for
    features that do not fit the input, and what `read` raises.
    """
    file, name, content = converted(path, *find(path, form), options)
    return read(name, {file.name: content}, options)


def read(form: str, files: Mapping[str, bytes], options: Options = DEFAULTS) -> Graph:
    """The graph of files of one importer's format. Raises DataError for features that do not fit, and as that does."""
    graph: Graph = plugins.load("importers", form).read(files, options)
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
        if _reads(name, path, content):
            return name, content
    hint += "; a float model goes to edgekws.prepare" if path.suffix.lower() in suffixes() else ""
    raise ArtifactError(
        f"{path} should be an int8 model that can be imported", got="another kind of file, or a damaged one", hint=hint
    )


def converted(path: Path, form: str, content: bytes, options: Options) -> tuple[Path, str, bytes]:
    """(file, importer, content) of the int8 file: the given one, or what `convert` makes of a float model.

    Raises ConfigError for calibration of a file that is int8 already, and what `convert` raises.
    """
    importer = plugins.load("importers", form)
    if not hasattr(importer, "convert"):
        if options.calibration is not None:
            raise ConfigError("calibration should be given for a float model only", got=f"{path.name}, which is int8")
        return path, form, content
    ((name, made),) = importer.convert({path.name: content}, options).items()
    file = path.with_name(name)
    return file, next(each for each in plugins.names("importers") if _reads(each, file, made)), made


def _reads(form: str, path: Path, content: bytes) -> bool:
    importer = plugins.load("importers", form)
    return path.suffix.lower() in importer.SUFFIXES and bool(importer.recognizes(content))


def suffixes() -> set[str]:
    """Ends of the names of files that some importer reads."""
    return {suffix for name in plugins.names("importers") for suffix in plugins.load("importers", name).SUFFIXES}
