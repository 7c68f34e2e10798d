"""The front end of MLPerf Tiny's official input files."""

from __future__ import annotations

import io
import tarfile
from dataclasses import replace

import numpy as np
import pytest

from edgekws.errors import ArtifactError
from edgekws.features.mfcc import mfcc, quantize, to_network
from edgekws.features.presets import MLPERF, PRESETS
from edgekws.features.spec import INPUT_SCALE, FeatureSpec
from tests.recordings import SHARED

FILES = SHARED / "kws01_b.tar"
CLIPS = SHARED / "test_set.tar"


def test_steps_are_truncated_toward_zero_and_clipped():
    spec = replace(MLPERF, coefficients=5, input_scale=(1.0,) * 5, input_zero_point=(0,) * 5)
    features = np.array([[[1.9, -1.9, 0.5, 200.0, -200.0]]], np.float32)
    assert quantize(spec, features).tolist() == [[[1, -1, 0, 127, -128]]]
    assert to_network(spec, features).tolist() == [[[1, -1, 0, 127, -128]]]
    assert quantize(replace(spec, rounding="nearest"), features).tolist() == [[[2, -2, 0, 127, -128]]]


def test_a_rounding_is_written_only_where_it_is_not_the_older_one():
    assert "rounding" not in FeatureSpec().to_json()
    assert FeatureSpec.from_json(MLPERF.to_json()) == MLPERF == PRESETS["mlperf"]
    with pytest.raises(ArtifactError, match="rounding should be 'nearest' or 'toward-zero'"):
        FeatureSpec.from_json({**MLPERF.to_json(), "rounding": "up"})


def test_the_float_network_gets_the_coefficients_where_all_have_one_scale():
    assert (MLPERF.network_scale, MLPERF.network_zero) == (0.5847029089927673, 83)
    fitted = MLPERF.with_statistics(np.arange(10.0), np.arange(1.0, 11.0))
    assert (fitted.network_scale, fitted.network_zero) == (INPUT_SCALE, 0)


@pytest.mark.slow
@pytest.mark.skipif(not (FILES.exists() and CLIPS.exists()), reason="needs official files and their recordings")
def test_features_equal_the_official_files():
    """Each file is that of the clip with the most equal bytes. Those that differ do so by one step, nearly all in
    digital silence: a coefficient that is 0 is 83 here; in the files, made in float32 by TensorFlow, 82.
    """
    import soundfile

    clips = []
    with tarfile.open(CLIPS) as tar:
        for member in tar:
            if member.isfile():
                samples, _ = soundfile.read(io.BytesIO(tar.extractfile(member).read()), dtype="int16")
                clips.append(np.pad(samples, (0, 16_000 - len(samples))))
    own = np.concatenate(
        [quantize(MLPERF, mfcc(MLPERF, np.stack(clips[at : at + 64]))) for at in range(0, len(clips), 64)]
    )
    with tarfile.open(FILES) as tar:
        files = [np.frombuffer(tar.extractfile(each).read(), np.int8) for each in tar if each.name.endswith(".bin")]
    equal, whole, distances = 0, 0, []
    for file in files:
        same = (own.reshape(len(own), -1) == file).sum(1)
        best = own[int(same.argmax())].ravel()
        equal, whole = equal + int(same.max()), whole + bool(same.max() == 490)
        distances += (best[best != file].astype(int) - file[best != file]).tolist()
    assert (equal, whole, len(files)) == (163_669, 310, 335)
    assert set(distances) <= {-1, 1}
