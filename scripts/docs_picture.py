"""Make docs/images/report.png, the one picture that is kept in git: python scripts/docs_picture.py REPORT.html

Opens a report in a headless Chromium, takes its first screen, and writes it with 64 colours. Fails above 60 kB.
"""

from __future__ import annotations

import argparse
import io
import shutil
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "images" / "report.png"
LIMIT_BYTES, COLOURS = 60_000, 64


def first_screen(report: Path, width: int, height: int) -> Image.Image:
    """What a browser of this size shows of a page, in its light colours."""
    program = shutil.which("chromium") or shutil.which("chromium-headless-shell")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": width, "height": height}, color_scheme="light")
        page.goto(report.resolve().as_uri())
        content = page.screenshot()
        browser.close()
    return Image.open(io.BytesIO(content)).convert("RGB")


def main() -> int:
    """Write the picture; the exit code is 1 when it is too large."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("report", type=Path)
    parser.add_argument("--width", type=int, default=1000)
    parser.add_argument("--height", type=int, default=640)
    given = parser.parse_args()
    picture = first_screen(given.report, given.width, given.height).quantize(COLOURS)
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    picture.save(PICTURE, optimize=True)
    size = PICTURE.stat().st_size
    print(f"{PICTURE}: {size:,} bytes of at most {LIMIT_BYTES:,}")
    return int(size > LIMIT_BYTES)


if __name__ == "__main__":
    sys.exit(main())
