"""The stages of the fixed-point front end, each in NumPy integers as every core computes it."""
