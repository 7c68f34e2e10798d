"""The table and the plot of a downstream evaluation."""

import json

import pytest

from edgekws.curate.downstream import summary
from edgekws.curate.downstream.runs import Plan, Result

PLAN = Plan(("spread",), (0.2,), (0,), steps=8, validation=60)


def made(selector, share, figures, clips=100):
    return [Result(selector, share, seed, clips, value, value + 0.01, value, 500) for seed, value in enumerate(figures)]


def test_the_table_gives_verdicts_by_interval():
    results = made("random", 0.1, [0.80, 0.82, 0.81]) + made("good", 0.1, [0.85, 0.87, 0.86])
    results += (
        made("same", 0.1, [0.80, 0.84, 0.80]) + made("bad", 0.1, [0.70, 0.72, 0.71]) + made("good", 0.5, [0.9], 500)
    )
    result = {(row["selector"], row["share"]): row for row in summary.rows(results)}
    assert next(iter(result)) == ("good", 0.5), "the largest share first"
    good = result["good", 0.1]
    assert good["int8"]["mean"] == pytest.approx(0.86)
    assert good["int8"]["half"] == pytest.approx(4.303 * 0.01 / 3**0.5)
    assert good["against"]["mean"] == pytest.approx(0.05) and good["against"]["half"] == pytest.approx(0, abs=1e-9)
    verdicts = {key: summary.verdict(row).rpartition(", ")[2] for key, row in result.items()}
    assert verdicts == {
        ("good", 0.5): "", ("good", 0.1): "better", ("random", 0.1): "",
        ("same", 0.1): "unclear", ("bad", 0.1): "worse",
    }  # fmt: skip
    one_seed = summary.rows(made("random", 0.1, [0.8]) + made("good", 0.1, [0.9]))
    assert summary.verdict(one_seed[0]) == "+10.00, one seed" and summary.percent(one_seed[0]["int8"]) == "90.00 %"


def test_table_and_plot_are_reproducible_byte_for_byte(prepared, tmp_path):
    results = made("random", 0.1, [0.80, 0.82]) + made("good", 0.1, [0.85, 0.86]) + made("good", 0.5, [0.9, 0.9], 500)
    for folder in (tmp_path / "one", tmp_path / "two"):
        summary.write(results, PLAN, prepared, "dscnn", folder)
    for name in ("downstream.json", "downstream.md", "downstream.svg"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    text = (tmp_path / "one" / "downstream.md").read_text()
    assert "| 10 % | good | 100 | 2 | 85.50 +- 6.35 % |" in text and "500 test clips" in text
    drawn = (tmp_path / "one" / "downstream.svg").read_text()
    assert drawn.startswith("<?xml") and json.loads((tmp_path / "one" / "downstream.json").read_text())["rows"]
