"""Scenes of words, speech, noise and rooms, composed to streams that detectors are trained on."""
