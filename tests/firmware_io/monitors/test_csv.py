"""Exports of other meters: columns, units and layouts found, no energy lost, errors with lines."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from edgekws.errors import ArtifactError, ConfigError
from firmware_io.monitors import csv, load
from firmware_io.monitors.csv import columns
from firmware_io.monitors.csv import table as _csv_table


@pytest.fixture
def table(tmp_path):
    """Write text; give the rest of the meter's URL."""

    def write(text, options="", name="trace.csv", encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes(text.encode(encoding))
        return f"{path}{options}"

    return write


EXPORTS = {
    "joulescope": "#time,current,voltage,power,charge,energy\n0.0,0.01,3.0,0.03,0,0\n0.5,0.02,3.0,0.06,0,0\n",
    "ppk2": "Timestamp(ms),Current(uA),D0,D1\n0,10000,1,0\n500,20000,0,1\n",
    "ppk2 bits": "Timestamp(ms),Current(uA),D0-D7\n0,10000,10000000\n500,20000,00000011\n",
    "ppk2 without inputs": "Timestamp(ms),Current(uA),D0-D7\n0,10000,\n500,20000,\n",
    "otii": "Timestamp,Main current (A),Main voltage (V)\n0.0,0.01,3.0\n0.5,0.02,3.0\n",
    "energytrace": "us,nA,mV,nJ\n0,10000000,3000,0\n500000,20000000,3000,15000000\n",
    "otii with inputs": "Timestamp,Main current (A),Main voltage (V),GPI1\n0.0,0.01,3.0,1\n0.5,0.02,3.0,1\n",
    "german": "Zeit [ms];Strom [mA];Spannung [V]\n0,0;10,0;3,0\n500,0;20,0;3,0\n",
    "tabs": "time_s\tpower_mw\n0\t30\n0.5\t60\n",
    "underscores": "time_ms,current_avg_ma,voltage_v\n0,10,3\n500,20,3\n",
    "spaces": "# made by a script\n# time_s current_ma voltage_v\n0 10 3\n0.5 20 3\n",
    "preamble": 'Model,X1\nSerial,17\n"Time (s)","Current (mA)","Voltage (V)"\n"0","10","3"\n"0.5","20","3"\n',
    "micro": "time (s),current (µA),voltage (V)\n0,10000,3\n0.5,20000,3\n",
    "bom": "\ufefftime (s),current (A),voltage (V)\r\n0,0.01,3\r\n0.5,0.02,3\r\n\r\n",
}


@pytest.mark.parametrize("name", EXPORTS)
def test_exports_of_common_tools(table, name):
    module, rest = load(f"csv:{table(EXPORTS[name], '?volts=3.0')}")
    trace = module.load(rest)
    assert trace.joules == pytest.approx([0.015, 0.03])
    assert (trace.rate_hz, trace.volts, trace.dropped) == (2.0, 3.0, 0)
    assert trace.edges == ((1,) if name in {"ppk2", "ppk2 bits"} else ())


def test_latin_letters_of_micro(table):
    rest = table(EXPORTS["micro"], encoding="latin-1")
    assert csv.load(rest).joules == pytest.approx([0.015, 0.03])


def test_columns_that_the_user_names(table):
    text = "a,b,c\n0,10,1\n1,20,0\n2,20,0\n"
    for options in ("?time=a:ms&current=b:mA&edge=c", "?time=1:ms&current=2:ma&edge=3"):
        trace = csv.load(table(text, f"{options}&volts=2.0"))
        assert trace.joules == pytest.approx([2e-5, 4e-5, 4e-5])
        assert trace.edges == (1,)


def test_a_file_without_a_header(table):
    trace = csv.load(table("0 10 3000 0\n270 20 3000 1\n540 20 3000 2\n", "?time=1:us&current=2:mA&voltage=3:mV"))
    assert trace.joules.sum() == pytest.approx(270e-6 * 3 * (0.01 + 0.02 + 0.02))
    assert trace.volts == 3.0


def test_comments_between_and_after_the_rows(table):
    """As energytrace-util prints them, without titles."""
    text = "#MSP430_VCC(3300) = 0\n#a b c d\n# 1 2 3 4\n0.0 1e-2 3 0\n#x\n0.5 2e-2 3 0.015\n#MSP430_Close = 0\n"
    trace = csv.load(table(text, "?time=1:s&current=2:A&voltage=3:V"))
    assert trace.joules == pytest.approx([0.015, 0.03])
    with pytest.raises(ArtifactError, match="line 8: 1 fields"):
        csv.load(table(text + "error\n", "?time=1:s&current=2:A&voltage=3:V"))


def test_a_digit_of_a_column_of_bits(table):
    text = "Timestamp(ms),Current(uA),D0-D7\n0,1,10000001\n1,1,10000000\n2,1,00000001\n3,1,00000000\n"
    assert csv.load(table(text, "?volts=3&edge=D0-D7:7")).edges == (1, 3)
    assert csv.load(table(text, "?volts=3&edge=D0-D7:0")).edges == (2,)


def test_a_rate_instead_of_a_time_column(table):
    trace = csv.load(table("current (A),voltage (V)\n1,2\n1,2\n1,2\n", "?rate_hz=100"))
    assert trace.joules == pytest.approx([0.02] * 3)


@pytest.mark.parametrize("edges", ["0.001\n0.0025\n", "seconds\n0.001\n0.0025\n", "time (ms),state\n1,0\n2.5,0\n"])
def test_edges_of_a_second_file(table, edges):
    table(edges, name="edges.csv")
    rest = table("time (s),power (W)\n0,1\n0.001,1\n0.002,1\n", name="t.csv")
    assert csv.load(f"{rest}?edges={rest.replace('t.csv', 'edges.csv')}").edges == (1, 2)


def test_edges_outside_of_the_measurement(table):
    table("7.5\n", name="edges.csv")
    rest = table("time (s),power (W)\n0,1\n0.001,1\n", name="t.csv")
    with pytest.raises(ArtifactError, match=r"within the measurement.*7\.5 s"):
        csv.load(f"{rest}?edges={rest.replace('t.csv', 'edges.csv')}")


def test_missing_rows_of_a_clocked_meter_are_counted(table):
    rows = [f"{ms},0.01" for ms in range(1000) if ms not in (300, 700, 701)]
    trace = csv.load(table("time (ms),power (W)\n" + "\n".join(rows)))
    assert trace.dropped == 3
    assert trace.joules.sum() == pytest.approx(0.01, rel=1e-9)


def test_a_meter_that_writes_when_something_changes(table):
    trace = csv.load(table("time (s),power (W)\n0,1\n0.1,3\n5,2\n5.5,0\n6,1\n"))
    assert trace.dropped == 0
    assert trace.joules.sum() == pytest.approx(0.1 + 3 * 4.9 + 2 * 0.5 + 0.5, rel=1e-9)


STEPS = st.lists(st.integers(1, 10**6), min_size=2, max_size=80)


@settings(max_examples=60)
@given(STEPS, st.data())
def test_no_energy_is_made_or_lost_by_the_even_grid(tmp_path_factory, steps, data):
    us = np.concatenate([[0], np.cumsum(steps)])
    assume(not csv._is_even(us, np.mean(steps)))
    watts = np.array(data.draw(st.lists(st.integers(0, 50), min_size=len(us), max_size=len(us))))
    path = tmp_path_factory.mktemp("grid") / "trace.csv"
    path.write_text("time (us),power (mW)\n" + "\n".join(f"{t},{w}" for t, w in zip(us, watts, strict=True)))
    trace = csv.load(str(path))
    held = np.append(np.diff(us), np.median(np.diff(us)))  # the last row holds for the usual time
    assert trace.joules.sum() == pytest.approx((watts * held).sum() * 1e-9, rel=1e-6, abs=1e-15)
    half = np.searchsorted(us * 1e-6, len(trace.joules) // 2 / trace.rate_hz)
    until_half = (watts * held)[:half].sum() * 1e-9
    sample = watts.max() * 1e-3 * held.max() * 1e-6
    assert trace.joules[: len(trace.joules) // 2].sum() == pytest.approx(until_half, abs=sample)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("time (s),power (W)\n0,1\n1,2\n2\n3,4\n", "line 4: 1 fields instead of 2"),
        ("time (s),power (W)\n0,1\n1,nan\n2,3\n", r"line 3: power \(W\) is 'nan'"),
        ("time (s),power (W)\n0,1\n1,2\n2,inf\n", r"line 4: power \(W\) is 'inf'"),
        ("time (s),power (W)\n0,1\n1,2\n2,x\n", r"line 4: power \(W\) is 'x'"),
        ("time (s),power (W)\n0,1\n1,2\n\n\n0.5,2\n", r"line 6: 0\.5 s after 1 s"),
        ("time (s),power (W)\n0,1\n1,2\n1,2\n", "line 4: 1 s after 1 s"),
        ("time (s),power (W)\n0,1\n", "two samples"),
        ("", "an empty file"),
        ("hello\nworld\n", "no line with two numbers"),
    ],
)
def test_bad_rows_are_named(table, text, message):
    with pytest.raises(ArtifactError, match=message):
        csv.load(table(text))


def test_lines_are_counted_across_blocks(table, monkeypatch):
    monkeypatch.setattr(_csv_table, "BLOCK_LINES", 3)
    rows = [f"{i},1" for i in range(10)]
    assert len(csv.load(table("time (s),power (W)\n" + "\n".join(rows))).joules) == 10
    with pytest.raises(ArtifactError, match="line 9: 3 s after 6 s"):
        csv.load(table("time (s),power (W)\n" + "\n".join([*rows[:7], "3,1"])))
    with pytest.raises(ArtifactError, match=r"line 9: power \(W\) is"):
        csv.load(table("time (s),power (W)\n" + "\n".join([*rows[:7], "7,?"])))


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("a,b\n0,1\n1,2\n", "", "column of time"),
        ("time,b\n0,1\n1,2\n", "", "column of current or power"),
        ("time,current\n0,1\n1,2\n", "", "column of voltage"),
        ("time,current,current 2\n0,1,2\n1,2,2\n", "?current=x", "one of time, current, current 2"),
        ("time,current x,current y\n0,1,2\n1,2,2\n", "?volts=3", "one column should be the current"),
        ("time,current\n0,1\n1,2\n", "?volts=-1", "volts should be a positive number"),
        ("time,current\n0,1\n1,2\n", "?current=2:kg", "unit of current"),
        ("time,current\n0,1\n1,2\n", "?amps=2", "takes the options"),
        ("0,1\n1,2\n", "?time=3", "1 to 2, as it has no header"),
        ("time,current,d\n0,1,1\n1,2,1\n", "?volts=3&edge=d:x", "digit"),
    ],
)
def test_contradictory_options(table, text, options, message):
    with pytest.raises(ConfigError, match=message):
        csv.load(table(text, options))


@pytest.mark.parametrize(
    ("title", "role"),
    [
        ("Time (min)", "time"),
        ("Elapsed Time (h)", "time"),
        ("time of day", "time"),
        ("Current (pA)", "current"),
        ("Current mA avg", "current"),
        ("Current [mA] CH1", "current"),
        ("Power (mWh)", "power"),
    ],
)
def test_an_unknown_unit_is_never_guessed(table, title, role):
    titles = {"time": "time (s)", "current": "current (A)"} | {role: title}
    rows = "".join(",".join([time, *["1"] * (len(titles) - 1)]) + "\n" for time in "012")
    rest = table(f"{','.join(titles.values())}\n{rows}")
    with pytest.raises(ConfigError, match=f"the column of {role} should have a unit"):
        csv.load(f"{rest}?volts=3")


def test_a_column_that_the_user_names_needs_its_unit_too(table):
    rest = table("time (s),current (pA)\n0,1\n1,1\n", "?volts=3&current=2")
    with pytest.raises(ConfigError, match=r"current=current \(pA\):ma"):
        csv.load(rest)
    assert csv.load(f"{rest}:nA").joules == pytest.approx([3e-9] * 2)


MILLI = "time,current,D0\n" + "".join(f"{ms},{4000 + ms % 7},{int(ms < 4)}\n" for ms in range(9))
"""A header without units over milliseconds and microamperes: taken for seconds and amperes it gave 4.9e12 uJ."""


def test_a_table_without_units_is_refused_with_what_its_numbers_would_mean(table):
    rest = table(MILLI, "?volts=3.0")
    with pytest.raises(ConfigError) as error:
        csv.load(rest)
    message = str(error.value)
    assert "time and current in" in message and "the columns time, current, D0" in message
    assert "time begins 0, 1, 2 and has 1 samples/s if in s, 1,000 samples/s if in ms" in message
    assert "current begins 4000, 4001, 4002" in message and ", 4.002 mA if in uA" in message
    line = re.search(r"--meter 'csv:(.*?)'", message)
    assert line and line[1] == f"{rest}&time=ms&current=uA"
    assert csv.load(line[1]).joules.sum() == pytest.approx(9 * 4.00244e-3 * 3.0 * 1e-3, rel=1e-3)


@pytest.mark.parametrize("options", ["time=ms&current=ua", "time=1:ms&current=2:uA", "time=time:ms&current=µA"])
def test_the_options_give_the_units_of_recognised_columns(table, options):
    trace = csv.load(table(MILLI, f"?volts=3.0&{options}"))
    assert trace.rate_hz == pytest.approx(1000) and trace.joules[0] == pytest.approx(4000e-6 * 3.0 * 1e-3)
    assert trace.edges == (4,)


@pytest.mark.parametrize(
    ("header", "missing"),
    [
        ("time,current (A),voltage (V)", "time"),
        ("time (s),current,voltage (V)", "current"),
        ("time (s),current (A),voltage", "voltage"),
        ("time (s),power,voltage (V)", "power"),
        ("time,current,voltage,power,charge", "time and power and voltage"),  # not a Joulescope's whole header
        ("timestamp,current (A),voltage (V)", "time"),  # nor one of Otii
    ],
)
def test_each_column_that_is_needed_has_a_unit(table, header, missing):
    row = ",".join(["1"] * (header.count(",")))
    with pytest.raises(ConfigError, match=f"^{missing} in .* should have a unit"):
        csv.load(table(f"{header}\n0,{row}\n1,{row}\n"))


def test_a_column_that_is_not_needed_may_have_no_unit(table):
    text = "time,current,power (W),voltage\n0,7,1,9\n1,7,1,9\n"
    assert csv.load(table(text, "?rate_hz=2&volts=3")).joules == pytest.approx([0.5, 0.5])


def test_the_script_for_the_lpm01a_in_mlcommons_tiny(table):
    """Its times are those of arrival, several samples each: the rate is that of the instrument."""
    text = "Current (uA),rx timestamp (us),board timestamps (ms)\n909.9,4982,0\n904.3,6028,0\n910.0,6028,0\n"
    trace = csv.load(table(text, "?rate_hz=1000&volts=1.8"))
    assert trace.joules == pytest.approx([1.8 * ua * 1e-9 for ua in (909.9, 904.3, 910.0)])


def test_title_and_option_may_not_contradict_each_other(table):
    with pytest.raises(ConfigError, match=r"agree on the unit of current.*'current \(uA\)' and ma"):
        csv.load(table("time (s),current (uA)\n0,1\n1,1\n", "?volts=3&current=mA"))
    with pytest.raises(ConfigError, match="agree on the unit of current"):
        csv.load(table("time (s),current (uA)\n0,1\n1,1\n", "?volts=3&current=2:mA"))


@pytest.mark.parametrize("title", ["time", "edges", "time (min)"])
def test_a_list_of_edges_has_a_unit_in_its_title_or_is_of_seconds(table, title):
    table(f"{title}\n1\n2\n", name="edges.csv")
    rest = table("time (s),power (W)\n0,1\n0.001,1\n0.002,1\n", name="t.csv")
    with pytest.raises(ConfigError, match="unit"):
        csv.load(f"{rest}?edges={rest.replace('t.csv', 'edges.csv')}")


def test_a_list_of_edges_in_milliseconds(table):
    table("time_ms\n1\n2.5\n", name="edges.csv")
    rest = table("time (s),power (W)\n0,1\n0.001,1\n0.002,1\n", name="t.csv")
    assert csv.load(f"{rest}?edges={rest.replace('t.csv', 'edges.csv')}").edges == (1, 2)


def test_a_missing_file():
    with pytest.raises(ArtifactError, match="No such file"):
        csv.load("nowhere.csv")


@pytest.mark.parametrize(
    ("title", "name", "unit"),
    [
        ("Timestamp(ms)", "timestamp", {"time": 1e-3}),
        ("Main current [µA]", "main current", {"current": 1e-6}),
        ("current_ma", "current", {"current": 1e-3}),
        ("us", "", {"time": 1e-6}),
        ("V", "v", {}),
        ("time of day", "time of day", {}),
        ("D0", "d0", {}),
    ],
)
def test_titles(title, name, unit):
    assert columns._split(title) == (name, unit)


def test_a_large_file_is_read_in_blocks(tmp_path):
    """A quarter of a million rows of a PPK2."""
    n = 250_000
    ua = 5000 + 4000 * np.sin(np.arange(n) / 500)
    path = tmp_path / "large.csv"
    rows = "\n".join(f"{i / 100:.2f},{value:.3f},{int(i % 50_000 < 25_000)}" for i, value in enumerate(ua.tolist()))
    path.write_text(f"Timestamp(ms),Current(uA),D0\n{rows}\n")
    trace = csv.load(f"{path}?volts=3.0")
    assert trace.rate_hz == pytest.approx(100e3)
    assert trace.joules.sum() == pytest.approx(ua.sum() * 1e-6 * 3.0 * 1e-5, rel=1e-6)
    assert trace.edges == (25_000, 75_000, 125_000, 175_000, 225_000)


ROW = st.lists(
    st.sampled_from(["0", "1", "2.5", "-3", "1e9", "nan", "", "x", '"4"', "٣", "1_0"]), min_size=1, max_size=4
)


@settings(max_examples=200)
@given(st.lists(ROW, max_size=8), st.sampled_from(",;\t| "), st.text(max_size=30))
def test_any_table_is_a_trace_or_a_clear_error(tmp_path_factory, rows, delimiter, noise):
    path = tmp_path_factory.mktemp("any") / "trace.csv"
    lines = [delimiter.join(["time", "power"]), *(delimiter.join(row) for row in rows), noise]
    path.write_text("\n".join(lines), encoding="utf-8", errors="replace")
    try:
        trace = csv.load(str(path))
    except (ArtifactError, ConfigError):
        return
    assert np.isfinite(trace.joules).all()
    assert trace.rate_hz > 0
