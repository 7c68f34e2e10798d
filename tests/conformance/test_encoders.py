"""Every encoder says its rate, hop and dimensions, and gives frames of that many values."""

import pytest
import torch

from edgekws import plugins


@pytest.mark.parametrize("name", plugins.names("encoders"))
def test_frames_have_the_dimensions_and_the_hop_that_it_says(name):
    encoder = plugins.load("encoders", name).load().eval()
    samples = encoder.sample_rate_hz
    with torch.no_grad():
        frames = encoder(torch.randn(2, samples, generator=torch.Generator().manual_seed(0)) / 10)
    assert frames.dtype == torch.float32 and frames.shape[::2] == (2, encoder.dimensions)
    assert frames.shape[1] == pytest.approx(1000 / encoder.hop_ms, abs=2)
