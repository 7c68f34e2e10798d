"""The time axis of a timeline."""

import pytest

from edgekws.detect.timeline import clock_text
from edgekws.report.detection.timelines import tick_step


@pytest.mark.parametrize("seconds", [0.3, 1.2, 21.8, 100, 3_700, 90_000])
def test_a_label_says_where_its_tick_is(seconds: float) -> None:
    """Half seconds once had the labels of whole ones: 2.5 s was 0:02."""
    every_s, digits = tick_step(seconds)
    labels = [clock_text(every_s * number + 1e-6, digits) for number in range(int(seconds / every_s) + 1)]
    assert 2 <= len(set(labels)) == len(labels) <= 10
    assert round(every_s, digits) == pytest.approx(every_s)
