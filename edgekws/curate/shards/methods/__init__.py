"""Selection methods for data larger than memory. A method is one file here, or in the folder
`shard_methods` of another package (edgekws/plugins.py).

A module has one function

    choose(run: Run, size: int, seed: int) -> Picks

The same clips, size and seed give the same picks, whatever the shards, the engine, the workers and the memory.
"""
