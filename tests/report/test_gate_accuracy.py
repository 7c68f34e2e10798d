"""Accuracy of two runs on the same clips: their answers clip by clip give a narrower interval of the change."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekws import stats
from edgekws.report import build_report
from edgekws.report.compare.gate import judge
from edgekws.report.compare.rules import Gate, parse
from edgekws.report.compare.runs import load
from tests.report.runs import GRAPH, bench, changed, runs

N = 110
RULE = Gate((parse("accuracy < -0.5 points"),))


def answered(wrong, **changes):
    """A bench whose answers to the clips in `wrong` are wrong."""
    rows = [
        {"file": f"{clip}.wav", "class": 1, "permille": [900, 100, 0] if clip in wrong else [100, 900, 0]}
        for clip in range(N)
    ]
    return {**bench(right=N - len(wrong)), "answers": rows, **changes}


def outcome(*documents):
    return judge(runs(*documents), RULE).outcomes[0]


def test_a_loss_on_the_same_clips_is_decided_where_totals_leave_it_unclear():
    base, worse = answered(range(11)), answered(range(21))
    without = [changed(one, answers=None) for one in (base, worse)]
    assert outcome(*without).result == "unclear"
    paired = outcome(base, worse)
    assert (paired.result, paired.amount) == ("fail", pytest.approx(-10 / N))
    assert outcome(*without).low < paired.low < paired.amount < paired.high < outcome(*without).high


def test_other_mistakes_are_no_evidence_of_a_loss():
    """As many clips were lost as won."""
    assert outcome(answered(range(11)), answered(range(11, 22))).result == "pass"
    assert outcome(answered(range(11)), answered(range(11, 24))).result == "unclear"


def test_answers_that_do_not_give_the_accuracy_are_left_alone():
    odd = changed(answered(range(21)), accuracy={"correct": 80})
    assert runs(odd)[0].values["accuracy"].answers is None
    assert runs(answered(range(21)))[0].values["accuracy"].answers["0.wav"] is False


def test_a_run_s_folder_has_its_answers_in_bench_json(tmp_path):
    for name, document in (("a", answered(range(11))), ("b", answered(range(21)))):
        (tmp_path / name).mkdir()
        report = build_report("Run", GRAPH, document).to_json()
        (tmp_path / name / "report.json").write_text(json.dumps(report))
        (tmp_path / name / "bench.json").write_text(json.dumps(document))
    assert judge(load([tmp_path / "a", tmp_path / "b"]), RULE).outcomes[0].result == "fail"
    foreign = changed(answered(range(21)), provenance={"run_id": "another"})
    (tmp_path / "b" / "bench.json").write_text(json.dumps(foreign))
    assert load([tmp_path / "a", tmp_path / "b"])[1].values["accuracy"].answers is None


ANSWERS = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60).map(np.array)


@given(ANSWERS)
def test_the_correlation_is_phi_drawn_towards_0(pairs):
    old, new = pairs.T
    phi = stats.correlation(old, new)
    if old.std() and new.std():
        exact = float(np.corrcoef(old, new)[0, 1])
        assert min(exact, 0.0) - 1e-9 <= phi <= max(exact, 0.0) + 1e-9
    else:
        assert phi == 0.0


@pytest.mark.parametrize("shares", [(0.9, 0.02, 0.04), (0.8, 0.05, 0.02), (0.85, 0.0, 0.03)])
def test_the_interval_of_pairs_has_the_coverage_it_claims(shares):
    """shares: right in both, in the old run only, in the new run only; 1,000 clips, 400 experiments."""
    generator, hits = np.random.default_rng(7), 0
    for _ in range(400):
        kind = generator.choice(4, 1000, p=[*shares, 1 - math.fsum(shares)])
        old, new = (kind <= 1), (kind == 0) | (kind == 2)
        sides = [(float(one.mean()), stats.wilson(int(one.sum()), 1000)) for one in (old, new)]
        bounds = stats.difference(*sides[0], *sides[1], stats.correlation(old, new))
        hits += bounds.low <= shares[2] - shares[1] <= bounds.high
    assert 0.93 <= hits / 400 <= 0.985
