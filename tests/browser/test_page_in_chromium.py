"""The page in a real Chromium: it asks for nothing but itself, its policy blocks nothing of it, and it can be seen."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from tests.browser.opened import CHROMIUM, NONE

from breakeven.report.page import html_page
from breakeven.workload.profile import Slo, Workload

QUIET = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--enable-logging=stderr",
]
REQUEST = re.compile(r"^(?:https?|wss?|ftp):")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=NONE)


@pytest.fixture(scope="module")
def html(plan_small):
    workload = Workload.of(requests_per_day=300_000, input_tokens=1_000, output_tokens=200, slo=Slo(ttft_s=2.0))
    return html_page([plan_small(workload, at_least=1180.0)], [3])


@pytest.fixture
def opened(tmp_path):
    """Open a page: the DOM as Chromium has it, what it said on the console, and every URL it asked for."""

    def run(html: bytes, *flags: str) -> tuple[str, list[str], set[str]]:
        page, log = tmp_path / "page.html", tmp_path / "net.json"
        page.write_bytes(html)
        command = [CHROMIUM, *QUIET, f"--user-data-dir={tmp_path / 'profile'}", f"--log-net-log={log}", *flags]
        done = subprocess.run([*command, page.as_uri()], capture_output=True, text=True, timeout=120, check=True)
        said = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
        return done.stdout, said, _asked_for(log, page)

    return run


def _asked_for(log: Path, page: Path) -> set[str]:
    """URLs asked for on behalf of a page; what the browser asks for itself has no page as its initiator."""
    text = log.read_text(encoding="utf-8").rstrip().rstrip(",")
    events = json.loads(text if text.endswith("}") else text + "]}")["events"]
    asked = set()
    for params in (event.get("params", {}) for event in events):
        url = params.get("url", "")
        if REQUEST.match(url) and params.get("initiator", "not an origin") != "not an origin":
            asked.add(url)
    return asked - {page.as_uri()}


def test_the_page_asks_for_nothing_and_nothing_is_blocked(html, opened):
    dom, said, asked = opened(html, "--dump-dom")
    assert "</html>" in dom
    assert said == []
    assert asked == set()


def test_the_log_shows_a_request_and_the_console_a_block_where_there_is_one(html, opened):
    """The test above can fail: a picture from elsewhere is blocked by the policy, and asked for without one."""
    foreign = html.replace(b"<body>", b'<body><img src="http://elsewhere.invalid/x.png" alt="">')
    _, said, asked = opened(foreign, "--dump-dom")
    assert any("Content Security Policy" in line for line in said)
    assert asked == set()
    free = re.sub(rb"<meta http-equiv[^>]*>", b"", foreign)
    _, _, asked = opened(free, "--dump-dom")
    assert asked == {"http://elsewhere.invalid/x.png"}


def test_a_script_that_slipped_in_would_not_run(html, opened):
    dom, said, _ = opened(html.replace(b"<body>", b"<body><script>document.title = 'ran'</script>"), "--dump-dom")
    assert "<title>ran</title>" not in dom
    assert any("Content Security Policy" in line for line in said)


@pytest.mark.parametrize(("scheme", "dark"), [(0, True), (1, False)])
def test_it_is_seen_in_dark_and_in_light(html, opened, tmp_path, scheme, dark):
    picture = tmp_path / "page.png"
    flags = ("--window-size=600,400", f"--blink-settings=preferredColorScheme={scheme}", f"--screenshot={picture}")
    opened(html, *flags)
    assert (_corner(picture) < 64) is dark


def test_it_prints(html, opened, tmp_path):
    paper = tmp_path / "page.pdf"
    opened(html, "--no-pdf-header-footer", f"--print-to-pdf={paper}")
    pypdf = pytest.importorskip("pypdf", reason="reading the printed page needs the extra documents")
    text = " ".join(page.extract_text() for page in pypdf.PdfReader(paper).pages)
    assert "Bill of a day" in text, "details are unfolded on paper"
    assert "Skip to the answer" not in text


def _corner(picture: Path) -> int:
    """The brightness of the first pixel of a PNG, 0 to 255: whatever its filter, the first pixel is as it is."""
    import struct
    import zlib

    raw, place, data = picture.read_bytes(), 8, b""
    while place < len(raw):
        (length,) = struct.unpack(">I", raw[place : place + 4])
        if raw[place + 4 : place + 8] == b"IDAT":
            data += raw[place + 8 : place + 8 + length]
        place += 12 + length
    return zlib.decompress(data)[1]
