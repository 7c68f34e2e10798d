"""From scores in time to events.

settings     which words, thresholds, smoothing, refractory time; detector.json
detector     the events of posteriors: the definition of the integers
clock        which samples a step has heard
listener     from a waveform to events, for blocks of any size
runs         the events of a whole stream at once, for many thresholds
evaluation   how good a detector is
"""
