"""Encoders: large pretrained audio networks, one module for each. Teachers, upstreams and embeddings use them.

A module has one function

    load(weights: str = "") -> torch.nn.Module

weights: a file or folder, "" for the published ones. The module has the integers sample_rate_hz and dimensions and
the float hop_ms; its forward pass takes float32 [n, samples] within -1..1 and gives float32 [n, frames, dimensions].
`load` raises ConfigError with the line that installs what is missing, and ArtifactError for damaged weights.
"""
