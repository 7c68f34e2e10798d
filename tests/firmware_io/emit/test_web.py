"""The page without a browser: what it holds, what it refuses, and its engine in node."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from edgekws.cli import app
from edgekws.cli.line import page
from edgekws.detect import listener, settings
from edgekws.errors import BoardError, TargetError
from edgekws.graph import io
from firmware_io.build import c_listener, wasm
from firmware_io.emit import web
from firmware_io.emit.web import card
from tests.detect import models

FIGURES = {
    "by": "edgekws detect-eval",
    "budget_per_hour": 0.5,
    "validation_hours": 2.0,
    "validation_false_accepts": 1,
    "validation_words": 200,
    "validation_missed": 12,
}
needs_compiler = pytest.mark.skipif(
    not (shutil.which(wasm.COMPILER) and shutil.which(wasm.LINKER)), reason="no clang and lld here"
)


@pytest.fixture(scope="module")
def graph():
    return models.streamable()


@pytest.fixture(scope="module")
def detector(graph):
    chosen = settings.default(graph.labels, listener.clock(graph).step_ms)
    return replace(chosen, thresholds_permille=(60,) * len(chosen.keywords), how=FIGURES)


@needs_compiler
def test_export_writes_one_page_that_requests_nothing(graph, detector, tmp_path):
    folder = models.folder(tmp_path / "small")
    settings.save(detector, folder / settings.FILE, io.digest(graph))
    done = CliRunner().invoke(app, ["export", "--format", "web", "--out", str(folder)])
    assert not done.exception, (done.output, done.exception)
    html = (folder / "export" / web.FILE).read_text()
    assert len(html.encode()) <= 100_000 and "listen.html" in done.output
    assert not re.search(r"https?://|src=|{{", html)
    assert "default-src 'none'" in html
    model = json.loads(re.search(r'<script id="model"[^>]*>(.*?)</script>', html)[1])
    assert model["keywords"][:2] == ["yes", "no"] and model["thresholds"][0] == 60
    assert any("6.0% (3.5% to 10.2%): 12 of 200" in value for _, value, _ in model["card"])
    manifest = json.loads((folder / "export" / "manifest.json").read_text())
    assert web.FILE in manifest["files"]
    if shutil.which("node"):
        heard = in_node(html)
        scores = graph.stream("interp").push(listener.front_end(graph.front_end).push(c_listener.noise()))
        events = listener.Listener(graph, detector, "interp").push(c_listener.noise())
        assert heard["steps"] == len(scores) and heard["hash"] == c_listener._hash(scores)
        assert heard["events"] == [
            {"time": each.time_samples, "keyword": detector.keywords.index(each.keyword), "score": each.score}
            for each in events
        ]
        assert events


NODE = """
const page = require("fs").readFileSync(0, "utf8");
const part = (id) => page.match(new RegExp(`<script id="${id}"[^>]*>([^]*?)</script>`))[1];
eval(part("engine") + "; globalThis.Engine = Engine; globalThis.Resampler = Resampler;");
const model = JSON.parse(part("model")), events = [];
const module_ = new WebAssembly.Module(Buffer.from(part("module"), "base64"));
const engine = new Engine(new WebAssembly.Instance(module_), model);
model.thresholds.forEach((value, k) => engine.threshold(k, value));
const samples = new Int16Array(64000);
for (let i = 0, state = 1; i < samples.length; i++) {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  samples[i] = ((state >>> 16) << 16 >> 16) >> (Math.floor(i / 4000) % 8);
}
for (let at = 0; at < samples.length; at += 777) {
  engine.push(samples.subarray(at, at + 777), ({ event }) => event && events.push(event));
}
const sine = Float32Array.from({ length: 44100 }, (_, i) => Math.sin(2 * Math.PI * 440 * i / 44100));
const resampler = new Resampler(44100, 16000), made = [];
for (let at = 0; at < sine.length; at += 128) made.push(...resampler.push(sine.subarray(at, at + 128)));
let error = 0;
const wanted = (i) => Math.sin(2 * Math.PI * 440 * i / 16000);
for (let i = 100; i < made.length; i++) error = Math.max(error, Math.abs(made[i] - wanted(i)));
console.log(JSON.stringify({ steps: engine.steps, hash: engine.fnv, events, made: made.length, error }));
"""


def in_node(html):
    """The page's engine over the noise of listen.c; and its resampler over a sine, which keeps its time and level."""
    done = subprocess.run(["node", "-e", NODE], input=html, capture_output=True, text=True, check=True)
    heard = json.loads(done.stdout)
    assert abs(heard["made"] - 16_000) < 30 and heard["error"] < 1e-3
    return heard


def test_a_card_says_how_figures_were_got(graph, detector):
    rows = {what: (value, how) for what, value, how in card.rows(graph, detector, 46_000)}
    assert rows["False accepts"][0] == "0.50 per hour (0.01 to 2.79): 1 in 2 h"
    assert "validation" in rows["False accepts"][1] and "where the thresholds were chosen" in rows["False accepts"][1]
    nobody = {what: value for what, value, _ in card.rows(graph, replace(detector, how={"by": "default"}), 46_000)}
    assert "nobody has chosen" in nobody["Thresholds"] and "False accepts" not in nobody


def test_a_model_of_clips_is_refused(graph):
    clips = replace(graph, features=replace(models.SPEC, level="clip"))
    with pytest.raises(TargetError, match="level"):
        web.emit(clips)


def test_a_missing_compiler_is_one_paragraph(graph, monkeypatch):
    monkeypatch.setattr(wasm.shutil, "which", lambda _: None)
    monkeypatch.setattr(wasm.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(BoardError, match=r"needs clang and lld.*pip install ziglang"):
        web.emit(graph)


def test_the_demo_goes_on_without_a_compiler(tmp_path, monkeypatch, capsys):
    def missing(_graph, _folder):
        raise BoardError("compiling for a web page needs clang and lld")

    monkeypatch.setattr(page, "files", missing)
    page.write(models.folder(tmp_path / "small"), tmp_path / "listen.html")
    assert "there is no page" in capsys.readouterr().err and not (tmp_path / "listen.html").exists()


def test_a_name_cannot_leave_its_element(graph, detector):
    assert "</script" not in web._inline({"name": "</script><script>"})
    assert card.escaped("<b>") == "&lt;b&gt;"
