"""Quantization: float network -> folded chain -> QuantNet (whose forward is the integers) -> Graph."""
