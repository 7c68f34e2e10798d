"""Rule sets of NPUs and CPUs. Each module says how a layer is quantized and which nodes are legal."""
