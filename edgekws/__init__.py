"""edgekws: from a folder of recordings to a measured board, bit for bit."""

__version__ = "0.1.0"
