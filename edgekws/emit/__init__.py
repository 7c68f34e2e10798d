"""Emitters, one module for each kind of artifact: `emit(graph) -> {file name: bytes}`. `edgekws.export` calls them.

A module may also have

    executors(files) -> {runtime: executor}   runs its own files: `export` compares each with the interpreter
    about(files) -> {key: text}               the metadata of its own files
    by_default(graph) -> bool                 whether `export` writes it unasked; without it, always
    FILE, KIND, VERSION, NOTE, MAY_DIFFER     its file, its seal, how it rounds, and runtimes that may differ
"""
