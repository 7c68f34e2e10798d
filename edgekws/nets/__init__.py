"""Network architectures. Each module has `build(labels: int, **options) -> torch.nn.Module`.

A network is made of what edgekws.quant.frontends.torch_fx reads: convolutions, batch normalization, ReLU, pooling,
padding, additions (Residual) and linear layers. Its input is float32 [n, 1, frames, coefficients].
"""
