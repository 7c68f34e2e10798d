"""How good a model is on labelled clips.

figures      accuracy, recall, precision, calibration and thresholds of probabilities; NumPy only
texts        what they mean, in sentences
plots        pictures of them
"""
