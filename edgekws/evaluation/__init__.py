"""How good a model is on labelled clips, and what it hears in a recording.

figures      accuracy, recall, precision, calibration and thresholds of probabilities; NumPy only
"""
