"""The MLPerf Tiny serial protocol, host side: a parser without I/O and a session on top of it."""
