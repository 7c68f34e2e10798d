"""Importers: files of a foreign integer model become a graph, one module for each format.

A module has one function, the mirror image of its emitter's `emit`, and says which files it reads:

    read(files: Mapping[str, bytes], options: Options = Options()) -> Graph
    SUFFIXES: tuple[str, ...]              names of files that may be of its format, such as (".tflite",)
    recognizes(content: bytes) -> bool     whether a file of that name is of its format

`read` raises ArtifactError for files that are not of its format or are damaged, and TargetError, with the layer's name
in the file, for what the graph cannot say exactly. Exporting what it gave gives the same integers again.
"""

from __future__ import annotations

from dataclasses import dataclass

from edgekws.features.spec import FeatureSpec


@dataclass(frozen=True)
class Options:
    """What a foreign file does not say. labels: of the scores, in order; by default class0, class1, ... features: the
    front end, if it is known. name: of the graph; by default that of the file.
    """

    labels: tuple[str, ...] = ()
    features: FeatureSpec | None = None
    name: str = ""
