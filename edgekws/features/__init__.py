"""Features: from int16 samples to the int8 tensor that the network sees."""
