"""The front end in C on this computer gives the integers of its definition, clip by clip and in streams."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from edgekws.errors import BoardError
from edgekws.features import extract, fixed
from edgekws.features.spec import FeatureSpec
from firmware_io.build import host_cc, host_front_end
from tests.features.test_fixed import OTHERS, STREAM, shapes

CLIP = FeatureSpec(clip_samples=2_080, arithmetic="fixed")
QUICK = ("-O1",)

needs_compiler = pytest.mark.skipif(not host_cc.has_compiler(), reason="no C compiler for this computer")


@pytest.fixture(scope="module")
def compiled():
    return host_front_end.compile_sums(STREAM, None, QUICK)


@needs_compiler
def test_clips_of_any_shape_and_level_have_the_same_sums(compiled):
    clips = shapes(2_080, np.random.default_rng(4))
    assert np.array_equal(fixed.cepstra(CLIP, clips, compiled), fixed.cepstra(CLIP, clips))
    assert np.array_equal(fixed.cepstra(STREAM, clips, compiled), fixed.cepstra(STREAM, clips))
    assert fixed.cepstra(CLIP, clips[:0], compiled).shape == (0, *CLIP.shape)


@needs_compiler
@given(arrays.arrays(np.int16, st.integers(480, 1_500)), st.integers(1, 32_768))
@settings(max_examples=50, deadline=None)
def test_any_samples_have_the_same_sums(compiled, samples, peak):
    one = np.full(1, peak)
    assert np.array_equal(compiled(samples[None], one), fixed.sums(STREAM)(samples[None], one))


@needs_compiler
def test_streams_have_the_same_rows(compiled):
    samples = shapes(1_999, np.random.default_rng(5)).reshape(-1)
    front = fixed.FrontEnd(STREAM, compiled)
    rows = [front.push(samples[at : at + 333]) for at in range(0, len(samples), 333)]
    assert np.array_equal(np.concatenate(rows), fixed.FrontEnd(STREAM).push(samples))


@pytest.mark.slow
@needs_compiler
@pytest.mark.parametrize("spec", [STREAM, *OTHERS])
def test_other_specifications_have_the_same_sums_when_compiled_for_speed(spec):
    clips = shapes(spec.clip_samples, np.random.default_rng(6))
    compiled = host_front_end.compile_sums(spec, None)
    assert np.array_equal(fixed.cepstra(spec, clips, compiled), fixed.cepstra(spec, clips))


def test_without_a_compiler_the_definition_computes(monkeypatch):
    def nothing(*_):
        raise BoardError("a compiler should be installed")

    monkeypatch.setattr(host_front_end, "compile_sums", nothing)
    spec = replace(STREAM, hop_samples=480)
    clips = shapes(spec.clip_samples, np.random.default_rng(7))
    with pytest.warns(RuntimeWarning, match="NumPy"):
        made = extract.features(spec, clips)
    assert np.array_equal(made, fixed.cepstra(spec, clips))
    assert np.array_equal(extract.front_end(spec).push(clips[5]), fixed.quantized(spec, clips[5:6])[0])
