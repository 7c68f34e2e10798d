"""From scores in time to events.

settings     which words, thresholds, smoothing, refractory time; detector.json
detector     the events of posteriors: the definition of the integers
runs         the events of a whole stream at once, for many thresholds
"""
