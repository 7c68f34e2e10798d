"""How good a detector is on streams: events, not frames, are counted.

streams      posteriors of a stream, its words, and where its sound is
scenes       words embedded in noise and rooms, by a seed
matching     events to words
choice       thresholds and smoothing for a budget of false accepts per hour
figures      rates, intervals, latency, the DET curve
document     the figures as types; schema.json is generated from them
texts        the figures as lines of text
hearing      streams from recordings
run          from folders to the document
"""
