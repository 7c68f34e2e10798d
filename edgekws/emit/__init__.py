"""Emitters, one module for each kind of artifact: `emit(graph) -> {file name: bytes}`. `edgekws.export` calls them."""
