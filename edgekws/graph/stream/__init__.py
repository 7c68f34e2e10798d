"""Graphs over endless streams of rows: what that means, how little there is to compute per step, and one that runs.

rules         how each layer reads rows in time, and which layers forbid a stream
definition    the meaning: every layer over the whole stream at once
plan          the cost: what one step computes, and the rows that it keeps; the C is written from it
incremental   a stream that takes rows as they come, by the plan
"""
