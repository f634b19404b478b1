"""The planner's pages in a real Chromium: dragged, unfolded, shared, uploaded, downloaded, by keyboard, on a phone."""

import json
import re
import zipfile
from pathlib import Path

import pytest
from tests.browser.opened import CHROMIUM, LONGEST_MS, NONE

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=NONE)
playwright = pytest.importorskip("playwright.sync_api", reason="driving Chromium needs playwright (extra dev)")
pytest.importorskip("uvicorn", reason="the pages need the extra `ui`")

ROOT = Path(__file__).parents[2]
PATHS = (
    "/",
    "/?at_least=",
    "/?lang=zh",
    "/beside",
    "/history",
    "/accuracy",
    "/spend",
    "/download/stack.yaml",
    "/api/v1/docs",
    "/enter",
    "/?foo=1",
    "/nowhere?lang=zh",
)


def _drag(page, places):
    slider = page.locator("#slider")
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] / 2, middle)
    page.mouse.down()
    for place in places:
        page.mouse.move(box["x"] + box["width"] * place, middle, steps=4)
        page.wait_for_timeout(30)
    page.mouse.up()


def _whole(page):
    page.wait_for_selector("#now.whole")
    page.wait_for_load_state("networkidle")


def test_dragging_the_traffic_moves_the_answer_at_once_and_then_the_whole_catalogue(page_of):
    page = page_of()
    before = page.locator("#now .price").first.inner_text()
    states = page.evaluate_handle(
        """() => { const seen = []; new MutationObserver(() => {
             const now = document.getElementById("now"); if (now) seen.push(now.className);
           }).observe(document.getElementById("answer"), { childList: true, subtree: true }); return seen; }"""
    )
    _drag(page, (0.6, 0.7, 0.75))
    _whole(page)
    page.wait_for_url(re.compile("traffic.requests_per_day="))
    assert "narrowed" in " ".join(states.json_value())
    after = page.locator("#now .price").first.inner_text()
    assert after != before
    number = float(page.input_value('[name="traffic.requests_per_day"]'))
    assert number > 1e6
    asked = re.search(r"traffic\.requests_per_day=([\d.]+)", page.url)
    assert float(asked[1]) == number
    assert page.locator("#over-costs-0-wide svg .told").first.text_content().startswith("your traffic")


def test_a_shared_link_shows_the_same_scenario(page_of):
    first = page_of("/?traffic.requests_per_day=3000000&at_least=1400&as_of=2026-10-01")
    told = first.locator("#now .lead").inner_text()
    second = page_of(first.url.split("/", 3)[3].join(("/", "")))
    assert second.locator("#now .lead").inner_text() == told
    assert second.input_value('[name="as_of"]') == "2026-10-01"
    assert second.input_value('[name="at_least"]') == "1400"


def test_back_leads_to_the_scenario_before(page_of):
    page = page_of()
    page.fill('[name="tokens.output"]', "900")
    page.keyboard.press("Tab")
    page.wait_for_url(re.compile("tokens.output=900"))
    page.go_back()
    page.wait_for_function("document.querySelector('[name=\"tokens.output\"]').value === '300'")


def test_a_bill_unfolds_with_its_sources_and_stays_unfolded(page_of):
    page = page_of()
    bill = page.locator("details[data-bill]").first
    bill.locator("summary").click()
    bill.locator("table.bill").wait_for()
    assert "2026-" in bill.inner_text()
    option = bill.get_attribute("data-bill")
    page.fill('[name="traffic.requests_per_day"]', "101000")
    page.keyboard.press("Tab")
    page.wait_for_url(re.compile("101000"))
    page.wait_for_load_state("networkidle")
    again = page.locator(f'details[data-bill="{option}"]')
    assert again.count() == 0 or again.get_attribute("open") is not None


def test_every_number_tells_its_source_when_pointed_at_tapped_or_focused(page_of):
    page = page_of()
    fact = page.locator("#now .price .fact").first
    tip = page.locator("#tip")
    assert tip.is_hidden()
    fact.hover()
    assert "in force on 2026-11-2" in tip.inner_text()
    page.mouse.move(0, 0)
    assert tip.is_hidden()
    fact.focus()
    assert "in force on 2026-11-2" in tip.inner_text()
    assert fact.get_attribute("aria-describedby") == "tip"
    page.keyboard.press("Escape")
    assert tip.is_hidden()
    phone = page_of(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    phone.locator("#now .price .fact").first.tap()
    assert "in force on 2026-11-2" in phone.locator("#tip").inner_text()
    box = phone.locator("#tip").bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390


BARE_NUMBERS = """() => {
  const rests = /\\d{4}-\\d\\d-\\d\\d|basis|predicted|scenarios|measured|workload/i;
  const found = [], texts = document.createTreeWalker(document.querySelector(".told"), NodeFilter.SHOW_TEXT);
  for (let node = texts.nextNode(); node; node = texts.nextNode()) {
    const parent = node.parentElement;
    if (!/\\d/.test(node.data) || !parent.checkVisibility()) continue;
    if (parent.closest("title, desc, summary, .downloads, code")) continue;
    const at = parent.closest(".fact, [data-tip]"), tip = at && (at.title || at.dataset.tip);
    if (!tip || !rests.test(tip)) found.push(`${node.data.trim().slice(0, 60)} <${tip || "no tip"}>`);
  }
  return found;
}"""
"""Texts with a number that is seen, of the answer, for which no tip says a day or a basis."""


@pytest.mark.parametrize("query", ["", "?at_least=", "?only.kinds=hosted,hybrid&traffic.requests_per_day=5000000"])
def test_every_number_of_the_answer_has_a_tip_or_stands_within_one(page_of, query):
    page = page_of(f"/{query}")
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    waiting = page.locator(".unfolded .waiting, .plot .waiting").locator("visible=true")
    playwright.expect(waiting).to_have_count(0, timeout=LONGEST_MS)
    assert page.locator("table.bill").count() > 5
    assert page.evaluate(BARE_NUMBERS) == []
    page.fill("#find", "fp8")
    page.wait_for_timeout(300)
    page.wait_for_load_state("networkidle")
    assert page.evaluate(BARE_NUMBERS) == []


def test_the_tip_of_a_sentence_stands_where_the_pointer_is_and_leaves_with_it(page_of):
    page = page_of()
    page.locator("#now .lead").hover()
    page.wait_for_selector("#tip:not([hidden])")
    assert "in force on 2026-11-2" in page.locator("#tip").inner_text()
    page.locator("#now .price .fact").first.hover()
    assert "sum of its bill" in page.locator("#tip").inner_text()
    page.mouse.move(1, 1)
    page.wait_for_selector("#tip", state="hidden")


def test_without_scripts_the_form_plans_draws_unfolds_searches_and_reads_a_file(page_of):
    page = page_of(java_script_enabled=False)
    page.locator('noscript a[href*="drawn"]').click()
    assert page.locator("#plot-costs-0-wide svg").is_visible()
    page.fill('[name="tokens.output"]', "900")
    page.locator("#workload > noscript button").click()
    assert "tokens.output=900" in page.url
    assert page.locator("#plot-load-wide svg").is_visible()
    page.locator("details[data-bill] summary").first.click()
    assert page.locator("table.bill").first.is_visible()
    page.fill("#find", "fp8")
    page.locator(".find button").click()
    assert "tokens.output=900" in page.url
    assert page.locator("table.out tbody tr").count() < 6
    page.set_input_files("#file", ROOT / "examples" / "usage.jsonl")
    page.locator(".drop button").click()
    assert "name=usage" in page.url
    assert page.input_value('[name="traffic.requests_per_day"]').startswith("23.1")


def test_a_log_that_is_chosen_becomes_the_workload(page_of):
    page = page_of()
    page.set_input_files("#file", ROOT / "examples" / "usage.jsonl")
    page.wait_for_url(re.compile("name=usage"))
    page.wait_for_load_state("networkidle")
    assert page.input_value('[name="traffic.requests_per_day"]').startswith("23.1")
    assert "kinds of request" in page.locator("#workload").inner_text()
    assert page.locator("#now .lead").is_visible()


def test_a_spec_that_is_dropped_becomes_the_scenario(page_of):
    page = page_of()
    text = (ROOT / "examples" / "chat-assistant.yaml").read_text(encoding="utf-8")
    page.evaluate(
        """text => { const data = new DataTransfer(); data.items.add(new File([text], "chat.yaml"));
             document.getElementById("drop").dispatchEvent(new DragEvent("drop", {dataTransfer: data, bubbles: true,
             cancelable: true})); }""",
        text,
    )
    page.wait_for_url(re.compile("name=chat-assistant"))
    assert page.input_value('[name="hosting.min_replicas"]') == "2"


def test_a_file_that_is_no_log_is_told_and_changes_nothing(page_of, tmp_path):
    page = page_of(expect=("422",))
    bad = tmp_path / "notes.csv"
    bad.write_text("hello", encoding="utf-8")
    page.set_input_files("#file", bad)
    page.locator("#upload-told", has_text="nothing usable").wait_for()
    assert page.url.endswith("/")


def test_a_bad_value_is_told_and_the_old_answer_is_marked(page_of):
    page = page_of(expect=("422",))
    page.fill('[name="at_least"]', "llama-3.3-7b")
    page.keyboard.press("Tab")
    page.locator("#problem", has_text="Did you mean").wait_for()
    assert "stale" in page.locator("#answer").get_attribute("class")
    page.fill('[name="at_least"]', "llama-3.3-70b")
    page.keyboard.press("Tab")
    page.wait_for_selector("#answer:not(.stale)")
    assert page.locator("#problem").inner_text() == ""


def test_each_file_downloads_and_opens(page_of, tmp_path):
    page = page_of()
    kept = {}
    for part in ("report.html", "bills.xlsx", "workload.yaml", "plan?"):
        with page.expect_download() as waiting:
            page.locator(f'.downloads a[href*="{part}"]').click()
        kept[part] = tmp_path / waiting.value.suggested_filename
        waiting.value.save_as(kept[part])
    assert json.loads(kept["plan?"].read_text(encoding="utf-8"))["schema_version"]
    assert "xl/workbook.xml" in zipfile.ZipFile(kept["bills.xlsx"]).namelist()
    from breakeven.workload.spec import read_specs

    assert read_specs(kept["workload.yaml"])[0].traffic.requests_per_day == 100_000
    report = page.context.new_page()
    report.goto(kept["report.html"].as_uri())
    assert "Bill of a day" in report.content()
    report.close()


def test_it_prints_as_paper_without_the_form(page_of, tmp_path):
    page = page_of()
    page.locator("details[data-bill] summary").first.click()
    page.wait_for_selector("table.bill")
    paper = tmp_path / "page.pdf"
    page.pdf(path=paper)
    pypdf = pytest.importorskip("pypdf", reason="reading the printed page needs the extra documents")
    text = " ".join(sheet.extract_text() for sheet in pypdf.PdfReader(paper).pages)
    assert "Bill of a day" in text
    assert "Tokens in" not in text


def test_the_keyboard_alone_is_enough(page_of):
    page = page_of()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "slider":
            break
    before = page.input_value('[name="traffic.requests_per_day"]')
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    assert page.input_value('[name="traffic.requests_per_day"]') != before
    page.wait_for_url(re.compile("requests_per_day"))
    _whole(page)
    assert page.evaluate("document.activeElement.id") == "slider", "the focus stays where it was"
    for _ in range(200):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.matches('details[data-bill] summary')"):
            break
    page.keyboard.press("Enter")
    page.wait_for_selector("table.bill")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("look", [("light", 1300), ("dark", 390)], ids=["light", "dark phone"])
def test_axe_finds_nothing_and_nothing_is_wider_than_the_screen(page_of, path, look):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is in the extra dev").Axe()
    scheme, width = look
    page = page_of(path, expect=("422", "404"), viewport={"width": width, "height": 844}, color_scheme=scheme)
    if path in ("/", "/spend"):
        page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
        page.wait_for_load_state("networkidle")
    found = axe.run(page).response["violations"]
    assert [(one["id"], one["nodes"][0]["html"][:200]) for one in found] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize(("scheme", "dark"), [("dark", True), ("light", False)])
def test_it_is_seen_in_dark_and_in_light(page_of, scheme, dark):
    page = page_of("/enter", color_scheme=scheme)
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", paper)[:3])) < 200) is dark


def test_two_scenarios_are_kept_changed_and_compared(page_of):
    page = page_of()
    page.locator('.downloads a[href*="beside="]').click()
    page.wait_for_load_state("networkidle")
    page.fill('[name="traffic.requests_per_day"]', "4000000")
    page.keyboard.press("Tab")
    page.wait_for_url(re.compile("4000000"))
    page.wait_for_load_state("networkidle")
    page.locator('.downloads a[href^="/beside"]').click()
    page.wait_for_load_state("networkidle")
    assert page.locator(".columns section").count() == 2
    assert "4000000" in page.locator("#differs ~ .scroll").inner_text()


def test_the_page_is_small_and_painted_soon(page_of):
    page = page_of()
    sizes = page.evaluate(
        "performance.getEntriesByType('resource').concat(performance.getEntriesByType('navigation'))"
        ".reduce((sum, one) => sum + one.transferSize, 0)"
    )
    assert sizes < 1_500_000
    page.reload()
    page.wait_for_load_state("networkidle")
    painted = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    assert painted < 5_000, "far above the second that is aimed at: `make bench-ui` measures it"


def test_the_policy_blocks_a_script_that_slipped_in(page_of):
    page = page_of(expect=("Content Security Policy",))
    page.evaluate(
        "() => { const one = document.createElement('script'); one.textContent = 'document.title = \"ran\"';"
        " document.body.append(one); }"
    )
    assert page.title() != "ran"


def test_what_was_spent_is_asked_for_in_the_form_and_stands_in_the_address(page_of):
    page = page_of("/spend")
    assert "$1,234.250000000001" in page.locator("#spent").inner_text()
    page.select_option("#by", "upstream")
    page.fill("#since", "2026-11-24")
    page.locator('form[action="/spend"] button').click()
    page.wait_for_url(re.compile("by=upstream&since=2026-11-24"))
    assert page.locator("#spent tbody tr").count() == 2
    assert "≥ $0.25" in page.locator("#spent").inner_text()
    assert "$2.50" in page.locator("#hired").inner_text()
    assert page.locator("figure svg").first.is_visible()


def test_the_cloudformation_document_downloads_once_its_weights_are_said(page_of, tmp_path):
    page = page_of(expect=("422",))
    page.locator('.downloads a[href*="stack.yaml"]').click()
    page.locator(".problem", has_text="where the weights").wait_for()
    page.fill("#weights", "acme/weights")
    page.check("#quantized")
    with page.expect_download() as waiting:
        page.locator('form[action="/download/stack.yaml"] button').click()
    waiting.value.save_as(tmp_path / "stack.yaml")
    assert "AWSTemplateFormatVersion" in (tmp_path / "stack.yaml").read_text(encoding="utf-8")
