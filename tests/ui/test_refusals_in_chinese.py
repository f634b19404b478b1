"""What a page refuses is said in Chinese on the Chinese page: each message that can be met, by its own pattern."""

import ast
import re
from html import unescape
from pathlib import Path

import pytest
from tests.ui.test_chinese import ENGLISH

from breakeven import fields
from breakeven.logs import engines, rows
from breakeven.ui.carried import again, carried
from breakeven.ui.guard import Door
from breakeven.ui.texts import texts
from breakeven.wording import Quoted, Volume, joined, quoting, worded

SRC = Path(__file__).parents[2] / "src"
NO_PAGE = {
    "breakeven.catalogue.diff",
    "breakeven.catalogue.kinds",
    "breakeven.catalogue.listing",
    "breakeven.gateway.books.money",
    "breakeven.gateway.books.teams",
    "breakeven.logs.engines",
    "breakeven.logs.extras",
    "breakeven.logs.fields",
    "breakeven.logs.layouts",
    "breakeven.logs.remote",
    "breakeven.logs.spark",
    "breakeven.logs.times",
    "breakeven.performance.measured",
    "breakeven.performance.rows",
}
"""They are imported, but what they refuse are flags of commands, writes to a gateway's books, and a missing package."""
LETTERS = re.compile(r"[A-Za-z]{2}")


def _modules():
    found = {}
    for path in sorted((SRC / "breakeven").rglob("*.py")):
        name = ".".join(path.relative_to(SRC).with_suffix("").parts).removesuffix(".__init__")
        found[name] = ast.parse(path.read_text(encoding="utf-8"))
    return found


MODULES = _modules()


def _imported(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{name.name}" for name in node.names)


def _met():
    """Every module that the pages import, whatever the way."""
    found, left = set(), [name for name in MODULES if name.startswith("breakeven.ui")]
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += [other for other in _imported(MODULES[name]) if other in MODULES]
    return found - NO_PAGE


def _kinds_of_error():
    found, classes = (
        {"BreakevenError"},
        [n for t in MODULES.values() for n in ast.walk(t) if isinstance(n, ast.ClassDef)],
    )
    for _ in classes:  # as often as a chain of classes can be long
        found |= {one.name for one in classes if any(getattr(base, "id", "") in found for base in one.bases)}
    return found


def _texts_of(node):
    """Every plain text that an argument can be, and every text that was put together without a pattern."""
    if isinstance(node, ast.JoinedStr):
        return {(ast.unparse(node), False)}
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return {(node.value, True)}
    if isinstance(node, ast.IfExp):
        return _texts_of(node.body) | _texts_of(node.orelse)
    if isinstance(node, ast.BinOp | ast.BoolOp):
        return {found for part in ast.iter_child_nodes(node) for found in _texts_of(part)}
    return set()


def _refusals():
    errors, found = _kinds_of_error(), {}
    for name in _met():
        for node in ast.walk(MODULES[name]):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in errors:
                first = node.args[:1]
                said = first + [word.value for word in node.keywords if word.arg in ("given", "expected", "do")]
                found |= {text: f"{name}:{node.lineno}" for argument in said for text in _texts_of(argument)}
    return found


def test_every_refusal_that_a_page_can_meet_has_chinese_words():
    """Patterns are held by the other test of patterns; here are the refusals without places, and those without one."""
    found, known = _refusals(), texts("zh").said
    assert len(found) > 150
    assert {at: text for (text, plain), at in found.items() if not plain} == {}, "no pattern: use quoting"
    bare = {text: at for (text, _), at in found.items() if LETTERS.search(text) and text not in known}
    assert set(bare) <= {"JSON"}


def test_what_a_log_or_a_field_can_be_refused_for_has_chinese_words():
    known = texts("zh").said
    reasons = [*rows.REASONS.values(), *engines.REJECTED.values(), *fields.KINDS.values(), fields.OF_ANY_KIND]
    reasons += [text for name in MODULES if name.startswith("breakeven.logs") for text in _reasons(MODULES[name])]
    patterns = [getattr(reason, "pattern", reason) for reason in reasons]
    assert len(patterns) > 35
    assert [pattern for pattern in patterns if pattern not in known] == []


def _reasons(tree):
    for node in ast.walk(tree):
        name = getattr(node.func, "attr", getattr(node.func, "id", "")) if isinstance(node, ast.Call) else ""
        if name == "_CutError":
            yield from (text for text, _ in _texts_of(node.args[0]))
        elif name == "add" and len(node.args) > 2:
            yield from (text for text, _ in _texts_of(node.args[1]))


def test_words_come_back_from_another_process_with_their_memory():
    inner = quoting("{path}, line {line}, ", path="day.csv", line=3)
    whole = worded(
        "{place}{field}: {given}", place=inner, field=Quoted("day"), given=worded("about {n}", n=Volume(2e6))
    )
    for words in (whole, joined("; ", (whole, "rows", Quoted("rows"))), quoting("{value}", value=float("inf"))):
        back = again(carried(words))
        assert back == words
        assert texts("zh").say(back) == texts("zh").say(words)


@pytest.mark.parametrize("pattern", ["{n.__class__}", "{n:>9999999999}", "{n[0]}", "{n!r}", "{missing}", "{"])
def test_a_pattern_from_another_process_puts_in_words_and_numbers_and_does_nothing_else(pattern):
    import msgspec

    from breakeven.ui.carried import Carried

    raw = msgspec.json.encode({"kind": "words", "text": pattern, "places": {"n": 2}})
    with pytest.raises(msgspec.DecodeError):
        msgspec.json.decode(raw, type=Carried)


LOG = b'{"at": "2026-09-07T00:00:01", "in": 3}\n'
FAULTS = {
    "negative traffic": "/?traffic.requests_per_day=-5",
    "no number": "/?traffic.requests_per_day=lots",
    "an unknown field": "/?trafic=1",
    "an unknown model": "/?at_least=llama-3.3-70",
    "an unknown provider": "/?only.providers=opnai",
    "an unknown machine": "/?only.machines=p5.48",
    "an unknown region": "/?region=mars-1",
    "an unknown profile": "/?traffic.profile=weekly",
    "a day too early": "/?as_of=2019-01-01",
    "no day": "/?as_of=2026-02-31",
    "an odd quantile": "/?latency.quantile=2",
    "nothing left": "/?latency.ttft_s=0.0000001&only.kinds=hosted",
    "a file": "/?overlay=/etc/passwd",
    "no JSON": "/?tokens.shapes=[1",
    "an odd shape": '/?tokens.shapes=[{"share":2,"input":3}]',
    "shapes and more": '/?tokens.shapes=[{"share":1,"inputs":3}]',
    "no length": "/?tokens.input=&tokens.output=",
    "no output": "/?tokens.output=",
    "a choice": "/?hosting.scaling=dayly",
    "more cached than read": "/?tokens.cached_input=9999",
    "an odd order": "/?by=price",
    "a broken side": "/beside?left=at_least%3Dnobody&right=",
    "a side that is no query": "/beside?left=a%3Db%26c&right=",
    "an unknown name": "/history?name=p5.48xlrge",
    "no price in the region": "/history?name=p5.48xlarge&region=mars-1",
    "days turned round": "/history?name=p5.48xlarge&since=2026-11-01&as_of=2026-01-01",
    "an unknown target": "/accuracy?target=speed",
    "an unknown GPU": "/accuracy?gpu=H1000",
    "an unknown grouping": "/spend?by=colour",
    "a span that ends first": "/spend?since=2026-11-02&until=2026-11-01",
    "an odd day": "/spend?since=yesterday",
    "no option": "/part/bill?option=host:nothing",
    "no picture": "/part/picture/nothing",
    "no stack": "/download/stack.yaml?option=",
    "no such stack": "/download/stack.yaml?option=host:nothing",
    "no such file": "/download/nothing.txt",
    "no such page": "/nowhere",
}
FILES = {
    "an empty file": (b"", "a.jsonl"),
    "too large": (b"x" * 300_000, "a.csv"),
    "no log": (b"hello", "a.csv"),
    "no form": (b"\x00\xff" * 50, "a"),
    "other columns": (b"colour,size\nred,3\n", "a.csv"),
    "a header alone": (b"timestamp,input_tokens,output_tokens\n", "a.csv"),
    "no time zone": (b"TIMESTAMP,ContextTokens,GeneratedTokens\n", "a.csv"),
    "half packed": (b"\x1f\x8b\x08\x00\x00", "a.csv.gz"),
    "no YAML": (b"? [\n", "a.yaml"),
    "twice": (b"name: a\nname: b\n", "a.yaml"),
    "no such field": (b"trafic: {}\n", "a.yaml"),
    "no number": (b"traffic: {requests_per_day: lots}\n", "a.yaml"),
    "beyond all": (b"latency: {ttft_s: .inf}\n", "a.yaml"),
    "text in a list": (b"tokens: {shapes: [{share: much}]}\n", "a.yaml"),
    "hours": (b"traffic: {requests_per_hour: [1, 2]}\n", "a.yaml"),
    "names a file": (b"overlay: x.yaml\n", "a.yml"),
    "nothing": (b"# nothing\n", "a.yaml"),
}


def _english(html):
    """English that a Chinese page shows and does not mark as such."""
    main = re.search(r"<main.*</main>", html, re.DOTALL)
    bare = main[0] if main else html
    bare = re.sub(r"<(code|select|datalist)\b.*?</\1>|<option\b[^<]*</option>", " ", bare, flags=re.DOTALL)
    marked = re.compile(r'<span lang="en">(?:(?!<span)[\s\S])*?</span>')
    while marked.search(bare):
        bare = marked.sub(" ", bare)
    told = re.findall(r'(?:title|aria-label|placeholder|data-busy|data-lost)="([^"]*)"', bare)
    told += re.findall(r">([^<>]+)<", f">{bare}<")
    return {found for text in map(unescape, told) for found in ENGLISH.findall(text)}


def _quoted(html):
    """What is marked as English, commands apart."""
    return re.findall(r'<span lang="en">(.*?)</span>', re.sub(r"<code>.*?</code>", "", html))


@pytest.mark.parametrize("path", FAULTS.values(), ids=FAULTS)
def test_no_english_sentence_stands_in_a_refusal_on_the_chinese_page(client, path):
    found = client.get(path + ("&" if "?" in path else "?") + "lang=zh")
    assert found.status_code in (404, 422)
    problem = re.search(r'class="problem".*?</p>', found.text, re.DOTALL)
    told = problem[0] if problem else found.text
    assert re.search("[一-鿿]{4}", told)
    assert _english(found.text) == set()
    quoted = [words for words in _quoted(told) if ENGLISH.search(words)]
    assert [words for words in quoted if not words.startswith("bad query field")] == [], "nothing but names is quoted"
    assert found.headers["content-type"].startswith("text/")


@pytest.mark.parametrize("fault", FILES)
def test_no_english_sentence_stands_in_what_is_said_of_a_file_on_the_chinese_page(client, fault):
    content, name = FILES[fault]
    found = client.post("/part/workload", params={"name": name, "lang": "zh"}, content=content)
    assert found.status_code in (413, 422)
    assert "无法使用该文件" in found.text
    assert _english(found.text) == set()
    quoted = [words for words in _quoted(found.text) if ENGLISH.search(words)]
    assert bool(quoted) == (fault == "no YAML"), "only the words of the library that reads YAML are quoted"
    whole = client.post("/upload?base=lang%3Dzh", files={"file": (name, content)})
    assert whole.status_code == 422
    assert _english(whole.text) == set()


def test_the_words_of_a_library_are_quoted_and_marked_as_english(client):
    found = client.post("/part/workload", params={"name": "a.yaml", "lang": "zh"}, content=b"a: [1, 2\nb: 3\n")
    assert re.search(
        '第 <?.*行.*不是 YAML：<span lang="en">[a-z ]+', re.sub(r"</?span[^>]*>", "", found.text)
    ) or _quoted(found.text)
    assert any(ENGLISH.search(words) for words in _quoted(found.text))


def test_what_was_read_of_a_file_is_said_in_the_reader_s_language(client):
    log = (SRC.parent / "examples" / "usage.jsonl").read_bytes() + b"{broken\n"
    params = {"name": "march.jsonl", "base": "at_least=1400&lang=zh"}
    found = client.post("/part/workload", params=params | {"lang": "zh"}, content=log)
    assert found.status_code == 200
    assert found.headers["HX-Redirect"].startswith("/?")
    assert "lang=zh" in found.headers["HX-Redirect"]
    assert "该行无法解读" in found.text
    assert _english(found.text) == set()


def test_a_file_that_is_announced_as_too_large_is_refused_without_being_sent(client):
    found = client.post("/part/workload", params={"name": "a.csv", "size": "300000", "lang": "zh"}, content=b"")
    assert found.status_code == 413
    assert "300,000 字节" in found.text


def test_english_words_are_the_same_as_ever_for_programs(client):
    told = client.get("/api/v1/plan?at_least=llama-3.3-70&lang=zh").json()
    assert told["do"].startswith("Did you mean: llama-3.3-70b, ")
    assert told["error"].startswith(
        "scored model (lmarena-text) 'llama-3.3-70' is not in the catalogue. Expected: one of"
    )


@pytest.mark.parametrize("path", ["/", "/beside?left=&right=", "/spend?by=team"])
def test_a_wrong_token_is_told_in_the_language_of_the_page_that_asked(client_of, path):
    client = client_of(Door(host="127.0.0.1", token="correct-horse-battery"))
    asked = client.get(path + ("&" if "?" in path else "?") + "lang=zh")
    action = unescape(re.search(r'action="(/enter[^"]*)"', asked.text)[1])
    wrong = client.post(action, data={"token": "wrong"})
    assert wrong.status_code == 401
    assert "访问令牌不正确" in wrong.text
    assert _english(wrong.text) == set()
