"""Network architectures. Each module has `build(labels: int, **options) -> torch.nn.Module`.

A network consists of layers that edgekws.quant.frontends.torch_fx reads: convolutions, batch normalization, ReLU,
pooling, padding, additions (Residual) and linear layers. Its input is float32 [n, 1, frames, coefficients].
"""
