"""The page in a real browser (playwright and Chromium): display, playback, clicks and keys."""

import os
import shutil
import threading

import pytest

from edgekws.curate.clean import rank
from edgekws.curate.clean.probe import ProbePlan
from edgekws.curate.clean.review import Review
from edgekws.curate.clean.server import serve, url_of
from edgekws.data import decisions
from tests.curate.clean.conftest import clips_of

playwright = pytest.importorskip("playwright.sync_api", reason="the page is tested where playwright is")
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)


@pytest.fixture(scope="module")
def ranked(spoken):
    samples, labels = spoken[0][:60].copy(), spoken[1][:60].copy()
    samples[7] = 0
    labels[[12, 21]] = 3, 0
    clips = clips_of(samples, labels)
    return clips, rank.rank(clips, ProbePlan("linear"), lambda *_: None)


@pytest.fixture(scope="module")
def browser():
    flags = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"] if os.geteuid() == 0 else []
    with playwright.sync_playwright() as run:
        try:
            opened = run.chromium.launch(executable_path=CHROMIUM, args=flags)
        except playwright.Error as error:
            pytest.skip(f"Chromium does not start: {error}")
        yield opened
        opened.close()


@pytest.fixture
def opened(browser, ranked, tmp_path):
    """(page, decisions.json); page.errors has errors of the console and requests to other servers."""
    path = tmp_path / "decisions.json"
    server = serve(Review(*ranked, path), 0)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()

    page = browser.new_page(viewport={"width": 1200, "height": 900})
    page.set_default_timeout(10_000)
    errors = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on(
        "request",
        lambda request: None if request.url.startswith((url_of(server), "data:")) else errors.append(request.url),
    )
    page.goto(url_of(server))
    page.locator("#clips li").first.wait_for()
    page.errors = errors
    yield page, path
    page.close()
    server.shutdown()
    server.server_close()
    thread.join()


def rows(page):
    return page.locator("#clips li")


def saved(page, path, count):
    """Decisions on disk, once the page shows this number of them."""
    page.wait_for_function(
        """n => document.getElementById('counts').textContent.match(/\\d+/g).map(Number)
            .reduce((sum, one) => sum + one) === n""",
        arg=count,
    )
    return decisions.load(path).by_clip


def test_the_page_shows_the_ranking(opened, ranked):
    page, _ = opened
    first = ranked[1].entries[0]
    assert page.title() == "made: 60 recordings, worst first" and rows(page).count() == 25
    text = rows(page).first.inner_text()
    assert first.id in text and first.label in text and first.reasons[0].reason in text
    drawn = page.evaluate("""() => { const c = document.querySelector('canvas');
        return c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some((value) => value > 0); }""")
    assert drawn and page.errors == []
    if os.environ.get("EDGEKWS_SCREENSHOT"):
        page.screenshot(path=os.environ["EDGEKWS_SCREENSHOT"])


def test_a_clip_is_played(opened):
    page, _ = opened
    rows(page).nth(1).locator(".play").click()
    page.wait_for_function("() => document.getElementById('player').currentTime > 0.05")
    assert page.evaluate("() => document.getElementById('player').duration") == pytest.approx(1.0)
    assert page.locator(".play.on").count() == 1
    page.wait_for_function("() => !document.querySelector('.play.on')")  # it ends by itself
    assert page.errors == []


def test_the_last_of_several_quick_clicks_is_played(opened):
    """Earlier clips are aborted while they load; that must not stop the last one."""
    page, _ = opened
    page.evaluate("() => { for (const play of [...document.querySelectorAll('.play')].slice(0, 5)) play.click(); }")
    page.wait_for_function("() => document.getElementById('player').currentTime > 0.05")
    assert page.locator(".play").nth(4).get_attribute("class") == "play on"
    assert page.locator("#problem").is_hidden() and page.errors == []


def test_clicks_keep_drop_and_undo(opened, ranked):
    page, path = opened
    one, two = (entry.id for entry in ranked[1].entries[:2])
    page.locator("#onward").uncheck()
    rows(page).nth(0).locator("button.drop").click()
    rows(page).nth(1).locator("button.keep").click()
    assert saved(page, path, 2) == {one: "drop", two: "keep"}
    assert rows(page).nth(0).locator("button.drop").get_attribute("aria-pressed") == "true"
    page.reload()
    assert rows(page).nth(0).get_attribute("data-decision") == "drop", "a reload shows what is saved"
    rows(page).nth(0).locator("button.drop").click()
    assert saved(page, path, 1) == {two: "keep"}
    assert page.errors == []


def test_the_keyboard_alone_is_enough(opened, ranked):
    page, path = opened
    ids = [entry.id for entry in ranked[1].entries[:3]]
    page.keyboard.press("d")
    assert saved(page, path, 1) == {ids[0]: "drop"}
    page.wait_for_function(
        "() => document.activeElement.dataset.id === document.querySelectorAll('#clips li')[1].dataset.id"
    )
    page.keyboard.press("k")
    assert saved(page, path, 2) == {ids[0]: "drop", ids[1]: "keep"}
    page.keyboard.press("ArrowUp")
    page.keyboard.press("u")
    assert saved(page, path, 1) == {ids[0]: "drop"}
    page.keyboard.press(" ")
    page.wait_for_function("() => document.getElementById('player').currentTime > 0")
    assert page.errors == []


def test_a_label_is_typed_or_accepted_as_suggested(opened, ranked):
    page, path = opened
    ids, labels = ([getattr(entry, name) for entry in ranked[1].entries] for name in ("id", "label"))
    page.locator("#onward").uncheck()
    page.keyboard.press("l")
    page.keyboard.type("nonsense", delay=1)
    page.keyboard.press("Enter")
    page.locator("#problem").wait_for()
    assert "a label is one of" in page.locator("#problem").inner_text() and not path.exists()
    other = next(word for word in ranked[0].words if word != labels[0])
    page.keyboard.press("l")
    page.keyboard.type(other)
    page.keyboard.press("Enter")
    assert saved(page, path, 1) == {ids[0]: f"relabel:{other}"}
    assert page.locator("#problem").is_hidden()
    assert rows(page).nth(0).get_attribute("data-decision") == "relabel"
    page.reload()
    assert rows(page).nth(0).locator("input").input_value() == other, "a reload shows what is saved"
    page.locator("#onward").uncheck()
    place = next(n for n, entry in enumerate(ranked[1].entries) if entry.suggested)
    rows(page).nth(place).focus()
    page.keyboard.press("l")
    page.keyboard.type("dk")  # the keys of other decisions are letters here
    page.keyboard.press("Escape")
    assert rows(page).nth(place).locator("input").input_value() == ""
    page.keyboard.press("s")
    sounds = f"relabel:{ranked[1].entries[place].suggested}"
    assert saved(page, path, 2) == {ids[0]: f"relabel:{other}", ids[place]: sounds}
    page.keyboard.press("u")
    assert saved(page, path, 1) == {ids[0]: f"relabel:{other}"}
    assert page.errors == ["Failed to load resource: the server responded with a status of 400 (Bad Request)"]


def test_a_label_is_chosen_from_the_list(opened, ranked):
    """Chromium's list is not part of the page; the test sends the event that a choice from it causes."""
    page, path = opened
    other = next(word for word in ranked[0].words if word != ranked[1].entries[0].label)
    assert page.evaluate("() => [...document.getElementById('labels').options].map((each) => each.value)") == [
        *ranked[0].words
    ]
    field = rows(page).nth(0).locator("input")
    field.evaluate(
        """(input, label) => { input.value = label;
        input.dispatchEvent(new InputEvent('input', { inputType: 'insertReplacementText' })); }""",
        other,
    )
    assert saved(page, path, 1) == {ranked[1].entries[0].id: f"relabel:{other}"}


def test_the_list_is_filtered_by_reason_and_decision(opened, ranked):
    page, path = opened
    page.locator("#reason").select_option("silent")
    page.wait_for_function("() => document.querySelectorAll('#clips li').length === 1")
    assert ranked[0].ids[7] in rows(page).first.inner_text()
    rows(page).first.locator("button.drop").click()
    saved(page, path, 1)
    page.locator("#undecided").check()
    page.locator("#empty").wait_for()
    page.locator("#reason").select_option("")
    page.wait_for_function("() => document.querySelectorAll('#clips li').length === 25")
    assert "of 59" in page.locator("#place").inner_text() and page.errors == []


def test_no_clip_is_skipped_when_decided_ones_leave_the_list(opened, ranked):
    page, path = opened
    ids = [entry.id for entry in ranked[1].entries]
    page.locator("#onward").uncheck()
    with page.expect_response("**/api/clips?*undecided=1"):
        page.locator("#undecided").check()
    page.wait_for_function("() => document.querySelectorAll('#clips li').length === 25")
    rows(page).nth(0).locator("button.keep").click()
    rows(page).nth(3).locator("button.keep").click()
    saved(page, path, 2)
    page.locator("#after").click()
    page.wait_for_function("id => document.querySelector('#clips li').dataset.id === id", arg=ids[25])
    assert page.errors == []


def test_next_and_previous_page(opened, ranked):
    page, _ = opened
    assert page.locator("#before").is_disabled()
    page.locator("#after").click()
    page.locator("#after").click()
    page.wait_for_function("() => document.querySelectorAll('#clips li').length === 10")
    assert page.locator("#after").is_disabled() and page.locator("#place").inner_text() == "51 to 60 of 60"


def test_the_keyboard_moves_across_pages(opened, ranked):
    page, path = opened
    ids = [entry.id for entry in ranked[1].entries]
    focused = "id => document.activeElement.dataset.id === id"
    rows(page).nth(24).focus()
    page.keyboard.press("ArrowDown")
    page.wait_for_function(focused, arg=ids[25])
    page.keyboard.press("ArrowUp")
    page.wait_for_function(focused, arg=ids[24])
    page.keyboard.press("d")
    assert saved(page, path, 1) == {ids[24]: "drop"}
    page.wait_for_function(focused, arg=ids[25])
    page.keyboard.press("ArrowUp")
    page.wait_for_function(focused, arg=ids[24])
    for number in range(23, 4, -1):
        page.keyboard.press("ArrowUp")
        page.wait_for_function(focused, arg=ids[number])
    covered = """() => document.activeElement.getBoundingClientRect().top
        < document.querySelector('header').getBoundingClientRect().bottom"""
    assert not page.evaluate(covered) and page.errors == []


def test_an_unreadable_recording_has_no_player(opened, ranked):
    page, _ = opened
    gone = ranked[1].entries[2].id
    page.route(
        "**/api/clips?*",
        lambda route: route.fulfill(
            json={
                **(value := route.fetch().json()),
                "clips": [{**clip, "wave": None if clip["id"] == gone else clip["wave"]} for clip in value["clips"]],
            }
        ),
    )
    page.reload()
    rows(page).first.wait_for()
    assert "nothing to play" in rows(page).nth(2).inner_text()
    assert page.locator("canvas").count() == page.locator(".play").count() == 24
    rows(page).nth(2).focus()
    page.keyboard.press(" ")
    page.keyboard.press("ArrowDown")
    page.keyboard.press(" ")
    page.wait_for_function("() => document.getElementById('player').currentTime > 0")
    assert page.errors == []


def test_a_lost_server_is_reported_and_no_decision_is_shown(opened):
    page, path = opened
    page.context.set_offline(True)
    rows(page).first.locator("button.drop").click()
    page.locator("#problem").wait_for()
    assert "Nothing was saved" in page.locator("#problem").inner_text()
    assert rows(page).first.get_attribute("data-decision") == "" and not path.exists()


def test_a_narrow_window_needs_no_sideways_scrolling(opened):
    page, _ = opened
    page.set_viewport_size({"width": 380, "height": 800})
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 380
