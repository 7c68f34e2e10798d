"""The grammar of rules: what is understood, what is refused and with which suggestion, and files of rules."""

import re
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekws.errors import ConfigError
from edgekws.report.compare import rules
from edgekws.report.compare.figures import METRICS
from edgekws.report.compare.rules import Gate, parse


@pytest.mark.parametrize(
    ("text", "metric", "comparison", "kind", "bound"),
    [
        ("instructions > +1 %", "instructions", ">", "relative", 0.01),
        ("instructions>+1%", "instructions", ">", "relative", 0.01),
        ("instructions > 3 M", "instructions", ">", "limit", 3e6),
        ("instructions > +20000", "instructions", ">", "absolute", 20000),
        ("latency >= +2 ms", "latency", ">=", "absolute", 2000),
        ("latency > 20 ms", "latency", ">", "limit", 20000),
        ("latency < -50 %", "latency", "<", "relative", -0.5),
        ("energy > +5 %", "energy", ">", "relative", 0.05),
        ("energy > 1.5 mJ", "energy", ">", "limit", 1500),
        ("energy-above-idle > +3 µJ", "energy-above-idle", ">", "absolute", 3),
        ("accuracy < -0.5 points", "accuracy", "<", "absolute", -0.005),
        ("accuracy < \N{MINUS SIGN}0.5 points", "accuracy", "<", "absolute", -0.005),
        ("accuracy < 90 %", "accuracy", "<", "limit", 0.9),
        ("auc < -0.01", "auc", "<", "absolute", -0.01),
        ("auc < 0.99", "auc", "<", "limit", 0.99),
        ("flash > +512 B", "flash", ">", "absolute", 512),
        ("flash > 64 KiB", "flash", ">", "limit", 65536),
        ("ram > +0 %", "ram", ">", "relative", 0),
        ("stack > +1 KiB", "stack", ">", "absolute", 1024),
        ("parameters > 0.5 MiB", "parameters", ">", "limit", 524288),
        ("latency > -5 %", "latency", ">", "relative", -0.05),
    ],
)
def test_rules_are_understood(text, metric, comparison, kind, bound):
    rule = parse(text)
    assert (rule.metric, rule.comparison, rule.kind) == (metric, comparison, kind)
    assert rule.bound == pytest.approx(bound)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("instructons > +1 %", "the metric instructons is not known; did you mean instructions?"),
        ("instructions", "should be METRIC COMPARISON BOUND"),
        ("", "should be METRIC COMPARISON BOUND"),
        ("instructions == 5", "should compare with >, >=, <, <=. Got: == in 'instructions == 5'"),
        ("instructions > +1,5 %", "should end with a number and its unit. Got: +1,5 %"),
        ("instructions > 3,000,000", "with a decimal point and without separators"),
        ("instructions > many", "should end with a number and its unit"),
        ("latency > 20 msec", "the unit msec is not known; did you mean ms?"),
        ("latency > 20", "should have a unit. Got: 20. What to do: units of latency: us, µs, ms, s"),
        ("flash > +512 KB", "the unit KB is not known; did you mean KiB?"),
        ("instructions > 1 %", "a change in % should have a sign. Got: 1 %. What to do: write +1 %"),
        ("accuracy < -0.5 %", "should be absolute, not relative. Got: %. What to do: write -0.5 points"),
        ("accuracy < 90 points", 'should be in %. Got: 90 points. What to do: write "accuracy < 90 %"'),
        ("auc < -1 %", "should be absolute, not relative. Got: %. What to do: write -0.01"),
        ("accuracy > -0.5 points", 'write "accuracy < -0.5 points"'),
        ("instructions < +1 %", 'write "instructions > +1 %"'),
        ("latency <= +1 ms", 'write "latency >= +1 ms"'),
        ("flash < 1 B", 'should limit the worse side: flash is better when it is less. Got: "flash < 1 B". '
         'What to do: write "flash > 1 B"'),
        ("instructions < 0", 'write "instructions > 0"'),
        ("energy <= 2 mJ", 'write "energy >= 2 mJ"'),
        ("accuracy > 90 %", "accuracy is better when it is more"),
        ("auc >= 0.9", 'write "auc <= 0.9"'),
    ],
)  # fmt: skip
def test_a_wrong_rule_says_what_to_write(text, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        parse(text)


def test_equality_is_decided_within_rounding():
    at, above = parse("flash >= +1 %"), parse("flash > +1 %")
    assert at.breaks(101 / 100 - 1) and not above.breaks(101 / 100 - 1)
    assert above.breaks(0.0101) and not at.breaks(0.0099)


@given(st.sampled_from(sorted(METRICS)), st.floats(-1e6, 1e6))
def test_a_rule_with_equality_differs_at_its_bound_only(metric, amount):
    comparison = ">" if METRICS[metric].better == "less" else "<"
    bound = {"latency": "us", "energy": "uJ", "energy-above-idle": "uJ", "accuracy": "%", "auc": "", "instructions": ""}
    unit = bound.get(metric, "B")
    strict, equal = (parse(f"{metric} {comparison}{sign} 50 {unit}") for sign in ("", "="))
    assert strict.breaks(amount) == equal.breaks(amount) or amount == pytest.approx(strict.bound)
    assert equal.breaks(strict.bound) and not strict.breaks(strict.bound)


def test_a_file_is_read_as_it_was_written(tmp_path):
    gate = Gate((parse("instructions > +1 %"), parse("accuracy < -0.5 points")), ("volts",), True)
    rules.write(gate, tmp_path / "gate.toml")
    assert rules.read(tmp_path / "gate.toml") == gate
    content = tomllib.loads((tmp_path / "gate.toml").read_text())
    assert (content["kind"], content["version"]) == ("edgekws-gate", 1)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('kind = "edgekws-gate"\nversion = 2\nfail-if = ["flash > +1 %"]', "version"),
        ('kind = "recipe"\nversion = 1\nfail-if = ["flash > +1 %"]', "kind"),
        ('kind = "edgekws-gate"\nversion = 1\nfail-if = []', "fail-if"),
        ('kind = "edgekws-gate"\nversion = 1\nfail-if = ["flash > +1 %"]\nfail_if = []', "fail_if"),
        ('kind = "edgekws-gate"\nversion = 1\nfail-if = ["flush > +1 %"]', "did you mean flash?"),
        ("fail-if", "should be TOML"),
    ],
)
def test_a_wrong_file_is_refused_by_name(content, message, tmp_path):
    path = tmp_path / "gate.toml"
    path.write_text(content)
    with pytest.raises(ConfigError, match=re.escape(message)) as caught:
        rules.read(path)
    assert str(path) in str(caught.value)


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(ConfigError, match="there is no file"):
        rules.read(tmp_path / "gate.toml")
