"""Recordings, and the prepared data set that is made of them. `sources` has the plugins that list recordings."""
