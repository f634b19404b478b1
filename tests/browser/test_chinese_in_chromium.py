"""The Chinese page in a real Chromium: what is refused is said in Chinese, and marks of pictures say their numbers."""

import re
from pathlib import Path

import pytest
from tests.browser.opened import CHROMIUM, LONGEST_MS, NONE

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=NONE)
playwright = pytest.importorskip("playwright.sync_api", reason="driving Chromium needs playwright (extra dev)")
pytest.importorskip("uvicorn", reason="the pages need the extra `ui`")

ROOT = Path(__file__).parents[2]
FIELDS = {
    "traffic.requests_per_day": "-5",
    "tokens.cached_input": "99999",
    "tokens.input": "",
    "tokens.output": "1e30",
    "latency.ttft_s": "-1",
    "at_least": "llama-3.3-7b",
    "as_of": "2019-01-01",
    "only.models": "gpt-5000",
    "only.providers": "opnai",
    "only.machines": "p5.48xlrge",
    "hosting.min_replicas": "0",
}
ADDRESSES = (
    "/?trafic=1",
    "/?tokens.shapes=[1",
    "/?overlay=/etc/passwd",
    "/?lang=zh&lang=zh&by=price",
    "/beside?left=at_least%3Dnobody",
    "/history?name=p5.48xlrge",
    "/accuracy?gpu=H1000",
    "/spend?by=colour",
    "/download/stack.yaml?option=host:nothing",
    "/nowhere",
)
FILES = {
    "notes.csv": b"hello",
    "empty.jsonl": b"",
    "a.yaml": b"trafic: {}\n",
    "b.yaml": b"? [\n",
    "c.csv.gz": b"\x1f\x8b\x08",
}
LEFT_IN_ENGLISH = """root => {
  const found = [], texts = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  const english = /\\b[A-Za-z]*[a-z]{2,}(?: [a-z]{2,})+\\b/;
  for (let node = texts.nextNode(); node; node = texts.nextNode()) {
    const at = node.parentElement;
    if (at.closest("code, select, datalist, script, style, [lang=en], noscript")) continue;
    if (english.test(node.data)) found.push(node.data.trim());
  }
  return found;
}"""
"""Texts of an element, seen or not, that hold an English sentence and are not marked as English."""


def _english(page, where="main"):
    return page.locator(where).evaluate(LEFT_IN_ENGLISH)


def test_what_a_form_cannot_mean_is_said_in_chinese(page_of):
    page = page_of("/?lang=zh", expect=("422",))
    page.evaluate("document.querySelectorAll('form details').forEach(one => { one.open = true; })")
    said = []
    for name, value in FIELDS.items():
        field = page.locator(f'#workload [name="{name}"]')
        before = field.input_value()
        field.fill(value)
        field.dispatch_event("change")
        page.locator("#problem .problem").wait_for()
        said.append(page.locator("#problem").inner_text())
        assert _english(page) == []
        field.fill(before)
        field.dispatch_event("change")
        page.wait_for_selector("#answer:not(.stale)")
        playwright.expect(page.locator("#problem .problem")).to_have_count(0, timeout=LONGEST_MS)
    assert len(set(said)) == len(FIELDS)
    assert all(re.match("无法规划：.*应为：", one) for one in said)


def test_an_address_that_leads_nowhere_says_so_in_chinese(page_of):
    for address in ADDRESSES:
        page = page_of(address + ("&" if "?" in address else "?") + "lang=zh", expect=("422", "404"))
        assert re.search("[一-鿿]{4}", page.locator(".problem").first.inner_text()), address
        assert _english(page) == [], address


def test_a_file_that_cannot_be_used_says_why_in_chinese(page_of, tmp_path):
    page = page_of("/?lang=zh", expect=("422",))
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
        page.locator("#upload-told").evaluate("told => told.replaceChildren()")
        page.set_input_files("#file", tmp_path / name)
        page.locator("#upload-told .problem").wait_for()
        assert page.locator("#upload-told").inner_text().startswith("无法使用该文件：")
        assert _english(page) == [], name
    assert page.url.endswith("/?lang=zh")


def test_a_file_beyond_the_limit_is_refused_with_its_size_and_not_sent(page_of):
    page = page_of("/?lang=zh", expect=("413",))
    sent = []
    page.on("request", lambda request: sent.append(len(request.post_data_buffer or b"")))
    page.evaluate(
        """() => { const data = new DataTransfer(), big = new File(["x"], "big.csv");
             Object.defineProperty(big, "size", { value: 9e9 });
             data.items.add(big);
             const drop = new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true });
             Object.defineProperty(drop, "dataTransfer", { value: { files: [big] } });
             document.getElementById("drop").dispatchEvent(drop); }"""
    )
    page.locator("#upload-told", has_text="9,000,000,000 字节").wait_for()
    assert sent == [0]


def test_what_was_read_of_a_log_is_told_on_the_page_of_its_scenario(page_of, tmp_path):
    page = page_of("/?lang=zh")
    log = tmp_path / "march.jsonl"
    log.write_bytes((ROOT / "examples" / "usage.jsonl").read_bytes() + b"{broken\n")
    page.set_input_files("#file", log)
    page.wait_for_url(re.compile("name=march"))
    page.locator("#upload-told li", has_text="该行无法解读").wait_for()
    assert "个请求" in page.locator("#upload-told").inner_text()
    assert _english(page, "#upload-told") == []
    page.reload()
    assert page.locator("#upload-told").inner_text() == ""


def test_a_server_that_is_gone_is_told_where_problems_are_told(page_of):
    page = page_of("/?lang=zh", expect=("Failed to load", "htmx"))
    page.route("**/part/**", lambda route: route.abort())
    page.fill('[name="tokens.output"]', "900")
    page.keyboard.press("Tab")
    page.locator("#problem", has_text="服务器没有响应").wait_for()
    page.set_input_files("#file", {"name": "a.csv", "mimeType": "text/csv", "buffer": b"a,b\n"})
    page.locator("#upload-told", has_text="服务器没有响应").wait_for()


WIDEST = """marks => { const wide = marks.map(mark => mark.getBBox().width);
  return wide.indexOf(Math.max(...wide)); }"""
MARKS = {
    "/?lang=zh": {"costs-0": "目录", "load": "预测", "tornado": "情景", "pareto": "速度方程"},
    "/history?lang=zh": {"": "读取"},
    "/accuracy?lang=zh": {"": "留出"},
    "/spend?lang=zh": {"": "网关"},
}


@pytest.mark.parametrize("path", MARKS)
def test_a_mark_of_a_picture_says_its_numbers_date_and_basis_when_it_is_pointed_at(page_of, path):
    page = page_of(path)
    for name, told in MARKS[path].items():
        marks = page.locator(f"{f'#plot-{name}-wide' if name else '.wide'} .spot")
        marks.first.wait_for(state="attached")
        playwright.expect(page.locator(".plot .waiting").locator("visible=true")).to_have_count(0, timeout=LONGEST_MS)
        mark, titles = marks.nth(marks.evaluate_all(WIDEST)), marks.locator("title").count()
        mark.scroll_into_view_if_needed()
        page.wait_for_timeout(300)
        box = mark.bounding_box()
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + min(box["height"] / 2, 60))
        page.wait_for_selector("#tip:not([hidden])")
        tip = page.locator("#tip").inner_text()
        assert told in tip
        assert re.search(r"\d", tip)
        assert marks.locator("title").count() < titles, "the browser would show it a second time"
        page.mouse.move(2, 2)
        page.wait_for_selector("#tip", state="hidden")


def test_a_mark_says_its_words_when_it_is_tapped(page_of):
    phone = page_of("/", viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    marks = phone.locator("#plot-costs-0-narrow .spot")
    marks.first.wait_for(state="attached")
    marks.nth(50).scroll_into_view_if_needed()
    box = marks.nth(50).bounding_box()
    phone.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + 40)
    phone.wait_for_selector("#tip:not([hidden])")
    assert "requests a day" in phone.locator("#tip").inner_text()
    inside = phone.locator("#tip").bounding_box()
    assert inside["x"] >= 0
    assert inside["x"] + inside["width"] <= 390


def test_on_a_phone_a_problem_is_seen_at_once_wherever_the_form_is(page_of):
    phone = page_of("/?lang=zh", expect=("422",), viewport={"width": 390, "height": 844})
    phone.fill('[name="traffic.requests_per_day"]', "-5")
    phone.keyboard.press("Tab")
    phone.locator("#problem .problem").wait_for()
    box = phone.locator("#problem").bounding_box()
    assert box["y"] + box["height"] <= 844
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390
