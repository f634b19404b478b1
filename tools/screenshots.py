"""Make the picture of the page that the README shows, with a Chromium that is installed.

python tools/screenshots.py

The page of the bundled workload on a fixed day is written to a folder that is thrown away, and photographed in light
colours. Chromium gets a profile of its own and asks no host for anything.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from breakeven.cli.plans import plans_of
from breakeven.report.page import html_page

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


def browser() -> str | None:
    """The first Chromium there is."""
    return next((found for name in BROWSERS if (found := shutil.which(name))), None)


def photograph(chromium: str, page: Path, picture: Path, profile: Path) -> None:
    """The top of a page as a picture."""
    command = [chromium, *QUIET, f"--user-data-dir={profile}", f"--window-size={WIDTH},{HEIGHT}"]
    command += [f"--screenshot={picture}", page.as_uri()]
    subprocess.run(command, check=True, capture_output=True, timeout=SECONDS)


def main() -> int:
    """Write the picture; the exit code."""
    chromium = browser()
    if chromium is None:
        print(f"no browser: install one of {', '.join(BROWSERS)}", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "page.html"
        page.write_bytes(html_page(plans_of(PICTURED, {"": {"as_of": PICTURED_DAY}}), [TOP]))
        PICTURE.parent.mkdir(parents=True, exist_ok=True)
        photograph(chromium, page, PICTURE, Path(folder) / "profile")
    print(f"{PICTURE.relative_to(ROOT)}: {PICTURE.stat().st_size / 1000:,.0f} kB")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
