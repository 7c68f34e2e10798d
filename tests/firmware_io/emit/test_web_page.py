"""The page in a real browser: posted samples give the integers of NumPy, a fake microphone and a file are heard."""

from __future__ import annotations

import functools
import http.server
import os
import shutil
import threading
from dataclasses import replace

import pytest
import soundfile

from edgekws.detect import listener, settings
from edgekws.errors import BoardError
from firmware_io.build import c_listener, wasm
from firmware_io.emit import web
from tests.detect import models

pytestmark = pytest.mark.slow
playwright = pytest.importorskip("playwright.sync_api", reason="the page is tested where playwright is")
expect, WAIT_MS = playwright.expect, 120_000
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
FAKE = ("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream")
SOUND = models.sound(6)


@pytest.fixture(scope="module")
def graph():
    return models.streamable()


@pytest.fixture(scope="module")
def detector(graph):
    """With thresholds that noise crosses."""
    base = settings.default(graph.labels, listener.clock(graph).step_ms)
    scorer = listener.Scorer(graph, base.keywords, "interp")
    return replace(base, thresholds_permille=c_listener._crossed(scorer.push(SOUND)))


@pytest.fixture(scope="module")
def folder(graph, detector, tmp_path_factory):
    try:
        wasm.compiler()
    except BoardError as error:
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("page")
    (folder / web.FILE).write_bytes(web.emit(graph, detector)[web.FILE])
    soundfile.write(folder / "sound.wav", SOUND, 16_000)
    return folder


@pytest.fixture(scope="module")
def browser(folder):
    flags = ["--no-sandbox"] if os.geteuid() == 0 else []
    flags += ["--autoplay-policy=no-user-gesture-required", *FAKE]
    flags += [f"--use-file-for-fake-audio-capture={folder / 'sound.wav'}"]
    with playwright.sync_playwright() as run:
        try:
            opened = run.chromium.launch(executable_path=CHROMIUM, args=flags)
        except playwright.Error as error:
            pytest.skip(f"Chromium does not start: {error}")
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def server(folder):
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = functools.partial(Quiet, directory=str(folder))
    served = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=served.serve_forever)
    thread.start()
    yield f"http://localhost:{served.server_port}/{web.FILE}"
    served.shutdown()
    served.server_close()
    thread.join()


@pytest.fixture(params=["file", "localhost"])
def page(request, browser, server, folder):
    """page.errors has errors of the console, and every request but that of the page."""
    address = server if request.param == "localhost" else (folder / web.FILE).as_uri()
    page = browser.new_page(viewport={"width": 390, "height": 800})
    page.set_default_timeout(WAIT_MS)
    page.errors = []
    page.on("console", lambda message: page.errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    inside = (address, "data:", "blob:")
    page.on("request", lambda made: None if made.url.startswith(inside) else page.errors.append(made.url))
    page.goto(address)
    yield page
    assert page.errors == []
    page.close()


def expected(graph, detector):
    heard = listener.Listener(graph, detector, "interp")
    events = heard.push(SOUND)
    scores = graph.stream("interp").push(listener.front_end(graph.front_end).push(SOUND))
    return scores, events


def test_posted_samples_give_the_integers_of_numpy(page, graph, detector):
    answer = page.evaluate("pcm => edgekws.post(pcm)", SOUND.tolist())
    scores, events = expected(graph, detector)
    assert answer["steps"] == len(scores) > 50 and answer["hash"] == c_listener._hash(scores)
    assert [(each["time"], detector.keywords[each["keyword"]], each["score"]) for each in answer["events"]] == [
        (each.time_samples, each.keyword, each.score) for each in events
    ]
    assert len(events) > 2


def test_a_file_is_heard(page, graph, detector, folder):
    page.set_input_files("#file", folder / "sound.wav")
    expect(page.locator("#status")).to_contain_text("events", timeout=WAIT_MS)
    _, events = expected(graph, detector)
    assert page.inner_text("#status") == f"sound.wav: 0:06.0, {len(events)} events"
    assert [row.split("\t")[1] for row in page.inner_text("#events").splitlines()] == [
        each.keyword for each in reversed(events)
    ]


def test_a_microphone_is_heard_until_stop(page):
    page.click("#listen")
    expect(page.locator("#events tr").nth(1)).to_be_visible(timeout=WAIT_MS)
    assert "listening to" in page.inner_text("#status") and "nothing added" in page.inner_text("#granted")
    page.click("#listen")
    assert page.inner_text("#status") == "stopped" and page.inner_text("#listen") == "Listen"


def test_a_browser_that_gives_only_its_own_rate_is_resampled_here(page):
    page.evaluate("""() => {
        const connect = AudioContext.prototype.createMediaStreamSource;
        AudioContext.prototype.createMediaStreamSource = function (stream) {
            if (this.sampleRate === 16000) throw new DOMException("other rates", "NotSupportedError");
            return connect.call(this, stream);
        };
    }""")
    page.click("#listen")
    expect(page.locator("#events tr").nth(1)).to_be_visible(timeout=WAIT_MS)
    assert "resampled by this page from" in page.inner_text("#rate")


def test_an_unplugged_microphone_is_said(page):
    page.click("#listen")
    expect(page.locator("#status")).to_contain_text("listening to", timeout=WAIT_MS)
    page.evaluate("live.track.dispatchEvent(new Event('ended'))")
    assert page.inner_text("#status") == "the microphone is gone" and page.inner_text("#listen") == "Listen"


def test_a_long_file_takes_no_more_memory_and_keeps_its_peaks(page):
    kept = page.evaluate("""() => {
        chart.clear(null);
        const flat = Array(model.keywords.length).fill(0);
        for (let i = 1; i <= 50000; i++) {
            chart.push({ time: 640 * i, posteriors: i === 12345 ? flat.map(() => 987) : flat, event: null });
        }
        const highest = Math.max(...chart.steps.map((step) => step.posteriors[0]));
        return [chart.steps.length, highest, chart.steps.at(-1).time];
    }""")
    assert kept[0] <= 20_001 and kept[1:] == [987, 32_000_000]


def test_nothing_is_wider_than_a_phone(page):
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate("document.querySelectorAll('#card dt').length") >= 6
