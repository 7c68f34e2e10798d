"""Numbers of MLPerf Tiny's rules, by which a bench is planned and a session folder is checked (mlcommons/tiny)."""

WINDOWS, WINDOW_S = 5, 10.0
"""How many windows of how many seconds at least; of their figures the median counts."""
FILES = 1000
"""How many files the benchmark's own accuracy set has."""
CLOSED_TOP1 = 90.0
"""Percent of right answers that the closed division requires."""
