"""Network architectures. Each module has `build(labels: int, **options) -> torch.nn.Sequential`.

A network is a chain of the layers that edgekws.quant understands: Pad, Conv2d, BatchNorm2d, ReLU,
Dropout, GlobalAveragePool, Flatten, Linear. Its input is float32 [n, 1, frames, coefficients].
"""
