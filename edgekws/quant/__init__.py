"""Quantization: float network -> folded layers -> QuantNet (its forward pass computes the integers) -> Graph."""
