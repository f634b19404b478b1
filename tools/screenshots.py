"""Make the pictures of the pages that the README and the guide show, with a Chromium that is installed.

python tools/screenshots.py

The report of the bundled workload on a fixed day is written to a folder that is thrown away, and the planner's pages
are served on this machine for that day; both are photographed in light colours, one page in dark and one as on a phone.
Chromium gets a profile of its own and asks no other host for anything.
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from urllib.parse import urlencode

from playwright.sync_api import sync_playwright

from breakeven.catalogue.load import load_catalogue
from breakeven.cli.plans import plans_of
from breakeven.report.page import html_page
from breakeven.ui.address import query_of
from breakeven.ui.answers import Planner
from breakeven.ui.app import application
from breakeven.ui.guard import Door
from breakeven.ui.serve import served_beside
from breakeven.ui.site import Site
from breakeven.workload.spec import read_specs

ROOT = Path(__file__).parent.parent
PICTURED, PICTURED_DAY = ROOT / "examples" / "chat-assistant.yaml", "2026-11-24"
PICTURE = ROOT / "docs" / "images" / "report.png"
TOP = 5
WIDTH, HEIGHT = 1200, 1480
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--blink-settings=preferredColorScheme=1",
)
"""How Chromium is kept to the page; the last flag asks for light colours."""
SECONDS = 120
PAGES = {
    "ui.png": ("/?{spec}", 1400, 1180, "light"),
    "ui-dark-zh.png": ("/?lang=zh&{spec}", 1400, 1180, "dark"),
    "ui-phone.png": ("/?{spec}", 390, 844, "light"),
    "ui-beside.png": ("/beside?left={left}&right={right}", 1400, 1180, "light"),
    "ui-history.png": ("/history?name=p5.48xlarge", 1400, 900, "light"),
    "ui-accuracy.png": ("/accuracy", 1400, 1000, "light"),
}
"""Each picture of the planner: its address, the size of the window, and the colours."""


def browser() -> str | None:
    """The first Chromium there is."""
    return next((found for name in BROWSERS if (found := shutil.which(name))), None)


def photograph(chromium: str, page: Path, picture: Path, profile: Path) -> None:
    """The top of a page as a picture."""
    command = [chromium, *QUIET, f"--user-data-dir={profile}", f"--window-size={WIDTH},{HEIGHT}"]
    command += [f"--screenshot={picture}", page.as_uri()]
    subprocess.run(command, check=True, capture_output=True, timeout=SECONDS)


def addresses() -> dict[str, str]:
    """What stands in the addresses: the bundled workload, and the same at ten times its traffic."""
    spec = [*query_of(read_specs(PICTURED)[0]), ("as_of", PICTURED_DAY)]
    more = [(name, "2000000" if name == "traffic.requests_per_day" else value) for name, value in spec]
    both = {"left": urlencode(spec), "right": urlencode(more)}
    return {"spec": urlencode(spec)} | {name: urlencode({"": query})[1:] for name, query in both.items()}


@contextmanager
def served() -> Iterator[str]:
    """The address of the pages, while they are served."""
    site = Site(Planner(load_catalogue(), today=lambda: date.fromisoformat(PICTURED_DAY)))
    with served_beside(application(site, Door(host="127.0.0.1"))) as address:
        yield address


def photograph_pages(chromium: str) -> list[Path]:
    """Every picture of the planner, when all that a page fetches has come."""
    made, parts = [], addresses()
    with served() as address, sync_playwright() as running:
        browser = running.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for name, (path, width, height, colours) in PAGES.items():
            size = {"width": width, "height": height}
            page = browser.new_page(viewport=size, color_scheme=colours)  # type: ignore[arg-type]
            page.goto(address + path.format(**parts), timeout=SECONDS * 1000)
            page.wait_for_load_state("networkidle", timeout=SECONDS * 1000)
            page.screenshot(path=PICTURE.with_name(name))
            page.close()
            made.append(PICTURE.with_name(name))
        browser.close()
    return made


def main() -> int:
    """Write the pictures; the exit code."""
    chromium = browser()
    if chromium is None:
        print(f"no browser: install one of {', '.join(BROWSERS)}", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "page.html"
        page.write_bytes(html_page(plans_of(PICTURED, {"": {"as_of": PICTURED_DAY}}), [TOP]))
        PICTURE.parent.mkdir(parents=True, exist_ok=True)
        photograph(chromium, page, PICTURE, Path(folder) / "profile")
    for picture in (PICTURE, *photograph_pages(chromium)):
        print(f"{picture.relative_to(ROOT)}: {picture.stat().st_size / 1000:,.0f} kB")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
