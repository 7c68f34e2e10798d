"""Front ends with a name, for recipes and for `edgekws import --features`."""

from __future__ import annotations

from edgekws.features.spec import FeatureSpec

MLPERF = FeatureSpec(rounding="toward-zero")
"""That of MLPerf Tiny's keyword-spotting benchmark (mlcommons/tiny, keyword_spotting/get_dataset.py and
eval_quantized_model.py): int8 = MFCC / 0.5847 + 83, truncated toward zero.
"""
PRESETS = {"mlperf": MLPERF}
