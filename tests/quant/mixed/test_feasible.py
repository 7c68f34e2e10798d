"""What the cheapest network of some layers costs, known without a search."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekws import pipeline, targets
from edgekws.errors import ConfigError
from edgekws.models import home
from edgekws.quant import mixed
from edgekws.quant.mixed import budget, feasible
from edgekws.training.trained import Trained


@pytest.fixture(scope="module")
def released() -> Trained:
    return pipeline.load_trained(home() / "dscnn" / "float.safetensors")


def test_the_least_is_that_of_the_search(released: Trained) -> None:
    """1,753,480 cycles at 80 MHz, and 2-bit weights: what a whole search found for the DS-CNN."""
    target, device = targets.load("tinpu")
    assert feasible.least(released, target, device, {}, "cycles") == 1_753_480
    flash = feasible.least(released, target, device, {}, "flash_bytes")
    assert 22_604 / 4 < flash < feasible.least(released, target, device, {"pw*": 8}, "flash_bytes")


@pytest.mark.parametrize(("text", "least"), [("latency=2.5ms", "latency=21.9"), ("flash=1kB", "flash=9")])
def test_an_impossible_budget_is_refused_before_anything_is_quantized(
    text: str, least: str, released: Trained, tmp_path: Path
) -> None:
    """Neither data nor calibration clips are touched."""
    nothing = None
    with pytest.raises(ConfigError, match=f"the budget should be at least {least}.*Got: {text}"):
        mixed.search(released, nothing, nothing, budget.parse(text), tmp_path, lambda *_: None)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())
