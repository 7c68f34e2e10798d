"""Engines run a graph on this computer with the same integers. One file each: `compile(graph) -> Executor`.

interp     the interpreter: the definition of a graph, and the fallback
c          the C that boards run, compiled for this computer (firmware_io/engines/c.py)

An engine that can also run streams has `stream(graph) -> edgekws.graph.executor.Stream`. `Graph.compile` and
`Graph.stream` find them.
"""
