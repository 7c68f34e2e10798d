"""Training on streams: a network without padding in time learns what to say at each step, not about each clip."""
