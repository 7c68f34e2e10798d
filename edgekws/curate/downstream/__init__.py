"""Closing the loop: what a choice of recordings is worth in the integers of the network that will run.

pool.py      a prepared data set as the pool that selectors choose from, and their choice as a data set
vectors.py   what selectors see of a clip
runs.py      selector, share, seed -> training -> int8 graph -> accuracy; each run is a folder, made once
summary.py   the table and the plot
"""
