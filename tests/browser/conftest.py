"""The planner's pages served on this machine, and a browser that reaches no other one."""

from datetime import date

import pytest
from tests.browser.opened import CHROMIUM, LONGEST_MS


@pytest.fixture(scope="module")
def address(shipped, tmp_path_factory):
    """A server on a port of the system's choice, over the shipped catalogue on a fixed day."""
    from tests.ui.metered import NOW, write_store

    from breakeven.ui.answers import Planner
    from breakeven.ui.app import application
    from breakeven.ui.guard import Door
    from breakeven.ui.meter import Meter
    from breakeven.ui.serve import served_beside, warm
    from breakeven.ui.site import Site

    store = str(tmp_path_factory.mktemp("books") / "gateway.db")
    write_store(store)
    meter = Meter(place=store, now=lambda: NOW)
    site = Site(Planner(shipped, today=lambda: date(2026, 11, 24)), meter=meter)
    warm(site)
    with served_beside(application(site, Door(host="127.0.0.1"))) as found:
        yield found


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="driving Chromium needs playwright (extra dev)")
    with playwright.sync_playwright() as running:
        found = running.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]
        )
        yield found
        found.close()


@pytest.fixture
def page_of(browser, address):
    """Opens pages; at the end the console must have been silent, and no other host asked for anything."""
    said, asked, contexts = [], [], []

    def open_page(path="/", expect=(), **look):
        context = browser.new_context(**{"viewport": {"width": 1300, "height": 1000}, **look})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(LONGEST_MS)
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda wrong: said.append(str(wrong)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(address + path)
        page.wait_for_load_state("networkidle")
        page.expected = expect
        said_before.extend(expect)
        return page

    said_before = []
    yield open_page
    for context in contexts:
        context.close()
    unexpected = [text for text in said if not any(part in text for part in said_before)]
    assert unexpected == []
    assert [url for url in asked if not url.startswith((address, "data:", "blob:"))] == []
