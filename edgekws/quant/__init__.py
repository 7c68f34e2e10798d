"""Quantization: float network -> folded layers -> QuantNet (whose forward is the integers) -> Graph."""
