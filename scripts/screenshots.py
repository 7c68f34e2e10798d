"""Pictures of pages in a real browser: python scripts/screenshots.py FOLDER PAGE...

PAGE: an HTML file, a folder of a run (its report.html) or an address (the documentation while it is served). Each is
opened at 1280 and at 400 pixels, in light and in dark mode, and saved as FOLDER/NAME-WIDTH-MODE.png, the whole page.
FOLDER should be outside of the repository, or ignored by git. Exits with 1 when a page scrolls sideways, which a reader
on a telephone would have to, or when it reports an error.

Needs `playwright` (the extra edgekws[dev]) and a Chromium: that of the system, or `playwright install chromium`.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from playwright.sync_api import Browser

WIDTHS = (1280, 400)
MODES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chromium-headless-shell")
_HEIGHT = 900


def main(arguments: list[str]) -> int:
    """Save the pictures, print the path of each, and return the exit code."""
    if len(arguments) < 2:
        print(__doc__)
        return 2
    from playwright.sync_api import sync_playwright

    folder = Path(arguments[0])
    folder.mkdir(parents=True, exist_ok=True)
    program = next(filter(None, map(shutil.which, _BROWSERS)), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        faults = [fault for page in arguments[1:] for fault in _pictures(browser, page, folder)]
        browser.close()
    for fault in faults:
        print(f"FAULT: {fault}", file=sys.stderr)
    return 1 if faults else 0


def _pictures(browser: Browser, page: str, folder: Path) -> Iterator[str]:
    """Take all pictures of a page; yields what is wrong with it."""
    name, address = _named(page)
    for width in WIDTHS:
        for mode in MODES:
            path = folder / f"{name}-{width}-{mode}.png"
            yield from (f"{path.stem}: {fault}" for fault in _picture(browser, address, width, mode, path))
            print(path)


def _picture(browser: Browser, address: str, width: int, mode: Literal["light", "dark"], path: Path) -> list[str]:
    context = browser.new_context(viewport={"width": width, "height": _HEIGHT}, color_scheme=mode)
    tab, faults = context.new_page(), list[str]()
    tab.on("pageerror", lambda error: faults.append(str(error)))
    tab.goto(address)
    tab.screenshot(path=str(path), full_page=True)
    wide = tab.evaluate("document.documentElement.scrollWidth")
    context.close()
    return [*faults, f"{wide} pixels wide, it scrolls sideways"] if wide > width else faults


def _named(page: str) -> tuple[str, str]:
    """(name of the pictures, address)"""
    if "://" in page:
        return page.split("://", 1)[1].strip("/").replace("/", "-").replace(":", "-"), page
    path = Path(page)
    path = path / "report.html" if path.is_dir() else path
    return f"{path.resolve().parent.name}-{path.stem}", path.resolve().as_uri()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
