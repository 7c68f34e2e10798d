"""Features: int16 samples -> the int8 input tensor of the network."""
