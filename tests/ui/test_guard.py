"""Who may enter: this machine, under its own name, or whoever knows the token."""

import re
from html import unescape

import pytest

from breakeven.ui.guard import Door

TOKEN = "correct-horse-battery"


def test_a_name_that_somebody_pointed_here_is_refused(client):
    found = client.get("/", headers={"host": "evil.example"})
    assert found.status_code == 421
    assert "breakeven ui" in found.text


@pytest.mark.parametrize("host", ["localhost:9", "127.0.0.1:8181", "[::1]:8181"])
def test_this_machine_s_own_names_are_known(host):
    assert Door(host="127.0.0.1").knows(host)


@pytest.mark.parametrize(
    "host", ["", "evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "10.0.0.1"]
)
def test_all_other_names_are_not(host):
    assert not Door(host="127.0.0.1").knows(host)


def test_a_server_for_all_addresses_is_asked_by_address_or_by_a_name_that_it_was_given():
    door = Door(host="0.0.0.0", names=("plan.example",))
    assert door.knows("10.1.2.3:80")
    assert door.knows("plan.example")
    assert not door.knows("evil.example")


def test_without_the_token_there_is_nothing_but_the_page_that_asks_for_it(client_of):
    client = client_of(Door(host="127.0.0.1", token=TOKEN))
    for path in ("/", "/part/answer", "/download/bills.xlsx", "/history"):
        found = client.get(path)
        assert found.status_code == 401
        assert 'name="token"' in found.text
        assert "$" not in found.text
    assert client.get("/api/v1/plan").status_code == 401
    assert client.get("/assets/ui.css").status_code == 200


def test_the_token_opens_as_a_bearer_and_as_a_form(client_of):
    client = client_of(Door(host="127.0.0.1", token=TOKEN))
    assert client.get("/api/v1/accuracy", headers={"authorization": f"Bearer {TOKEN}"}).status_code == 200
    assert client.get("/api/v1/accuracy", headers={"authorization": "Bearer wrong"}).status_code == 401
    wrong = client.post("/enter", data={"token": "wrong"}, follow_redirects=False)
    assert wrong.headers["location"] == "/enter?wrong=1"
    assert "set-cookie" not in wrong.headers
    right = client.post("/enter", content=f"token={TOKEN}", follow_redirects=False)
    cookie = right.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=lax" in cookie.lower()
    assert TOKEN not in cookie
    assert client.get("/accuracy").status_code == 200


def test_another_site_s_page_cannot_send_files_here(client):
    for headers in ({"origin": "http://evil.example"}, {"sec-fetch-site": "cross-site"}):
        assert client.post("/api/v1/workload?name=a.jsonl", content=b"{}", headers=headers).status_code == 403


def test_every_response_says_what_a_page_may_do(client):
    for path in ("/", "/assets/app.js", "/api/v1/accuracy", "/nowhere", "/enter"):
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"


def test_whoever_follows_a_link_comes_to_it_once_the_token_is_given(client_of):
    client = client_of(Door(host="127.0.0.1", token=TOKEN))
    asked = client.get("/?at_least=1400&lang=zh")
    action = unescape(re.search(r'action="(/enter[^"]*)"', asked.text)[1])
    assert client.post(action, data={"token": "no"}, follow_redirects=True).text.count("访问令牌不正确") == 1
    right = client.post(action, data={"token": TOKEN}, follow_redirects=False)
    assert right.headers["location"] == "/?at_least=1400&lang=zh"
    elsewhere = client.post("/enter?to=//evil.example/", data={"token": TOKEN}, follow_redirects=False)
    assert elsewhere.headers["location"] == "/"


def test_a_refusal_at_the_door_is_in_the_reader_s_language_and_english_for_programs(client):
    chinese = {"accept-language": "zh", "host": "evil.example"}
    assert "此服务器" in client.get("/", headers=chinese).text
    assert "This server" in client.get("/api/v1/accuracy", headers=chinese).text


def test_a_part_asked_without_the_token_sends_the_page_to_where_it_is_given_and_back(client_of):
    client = client_of(Door(host="127.0.0.1", token=TOKEN))
    part = client.get("/part/answer?at_least=1400", headers={"hx-current-url": "http://127.0.0.1/?at_least=1300"})
    assert part.status_code == 401
    assert part.headers["hx-redirect"] == "/enter?to=%2F%3Fat_least%3D1300"
    back = client.post(part.headers["hx-redirect"], data={"token": TOKEN}, follow_redirects=False)
    assert back.headers["location"] == "/?at_least=1300"
