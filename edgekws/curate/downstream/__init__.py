"""Downstream evaluation: selections compared by the int8 accuracy of networks trained on them.

pool.py      a prepared data set as a pool for selectors, and their selection as a data set
vectors.py   the vectors that selectors see
runs.py      selector, share, seed -> training -> int8 graph -> accuracy; each run is a folder, made once
summary.py   the table and the plot
"""
