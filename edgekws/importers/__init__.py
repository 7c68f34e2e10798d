"""Importers: files of a foreign integer model become a graph, one module for each format.

A module has one function, the mirror image of its emitter's `emit`:

    read(files: Mapping[str, bytes]) -> Graph

It raises ArtifactError for files that are not of its format or are damaged, and TargetError, with the layer's name,
for what the graph cannot say exactly. Exporting what it gave gives the same graph again.
"""
