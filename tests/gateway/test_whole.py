"""The whole gateway as a user starts it: a file, a key, a process of its own, and what its books say afterwards."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from decimal import Decimal
from pathlib import Path

import openai
import pytest
from tests.gateway.scripted import CHAT, SOON_S

BREAKEVEN = [sys.executable, "-c", "from breakeven.cli import main; main()"]
TOKEN = "a-long-enough-admin-token"
END_S = 60.0


def run(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*BREAKEVEN, *arguments], cwd=folder, capture_output=True, text=True, timeout=END_S, check=False
    )


class Started:
    """A gateway in a process of its own."""

    def __init__(self, folder: Path, *flags: str, **environ: str) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            [*BREAKEVEN, "gateway", "gateway.yaml", "--listen", "127.0.0.1:0", *flags],
            cwd=folder, env={**os.environ, **environ}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.told = []
        while not self.told or "key" not in self.told[-1]:  # the last line of the welcome is about keys
            line = self.process.stdout.readline()
            assert line, self.process.stderr.read()
            self.told.append(line.rstrip())
            if "admin API" in line and "no key" not in line and (folder / "gateway.db").exists() and self._keyed():
                break
        self.url = next(line for line in self.told if line.endswith("/v1") and line.startswith("http"))
        self.root = self.url.removesuffix("/v1")

    def _keyed(self) -> bool:
        return (self.folder / "key").exists()

    def client(self, key: str) -> openai.OpenAI:
        return openai.OpenAI(base_url=self.url, api_key=key, max_retries=0, timeout=SOON_S)

    def get(self, path: str, token: str | None = None) -> tuple[int, bytes]:
        request = urllib.request.Request(self.root + path)
        if token:
            request.add_header("authorization", f"Bearer {token}")
        try:
            with urllib.request.urlopen(request, timeout=SOON_S) as reply:
                return reply.status, reply.read()
        except urllib.error.HTTPError as wrong:
            return wrong.code, wrong.read()

    def end(self) -> str:
        """Stop it as a supervisor does; what it logged."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        _, log = self.process.communicate(timeout=END_S)
        assert self.process.returncode == 0, log
        return log


@pytest.fixture
def folder(tmp_path, upstream):
    """A gateway.yaml with a model on an own machine, and one of a provider with known prices."""
    (tmp_path / "gateway.yaml").write_text(
        f"""
upstreams:
  own: {{url: "{upstream.url}", concurrency: 4, usd_per_hour: 3.6}}
  paid: {{url: "{upstream.url}", provider: openai, model: gpt-4o-mini}}
models:
  chat: [own, paid]
  mini: [paid]
"""
    )
    return tmp_path


@pytest.fixture
def start(folder):
    """Starts gateways in the folder."""
    running = []

    def started(*flags: str, **environ: str) -> Started:
        running.append(Started(folder, *flags, **environ))
        return running[-1]

    yield started
    for one in running:
        if one.process.poll() is None:
            one.process.kill()
            one.process.communicate()


def a_key(folder: Path, *flags: str) -> str:
    made = run("keys", "create", "tests", *flags, folder=folder)
    assert made.returncode == 0, made.stderr
    (folder / "key").write_text("made")
    return made.stdout.strip()


def test_a_request_with_a_key_is_answered_metered_and_priced_from_the_store(folder, start):
    key = a_key(folder)
    gateway = start(BREAKEVEN_ADMIN_TOKEN=TOKEN)
    chat = gateway.client(key).chat.completions.create(**{**CHAT, "model": "mini"})
    assert chat.choices[0].message.content == "Hello!"
    log = gateway.end()
    assert key not in log
    priced = run("price", "gateway.db", "--json", "-", folder=folder)
    total = json.loads(priced.stdout)["total"]
    assert total["requests"] == 1
    assert total["usd"] == total["logged_usd"], "the store's cost is the price of the catalogue"


def test_a_wrong_key_is_401_and_its_request_reaches_no_upstream(folder, start, upstream):
    a_key(folder)
    gateway = start()
    with pytest.raises(openai.AuthenticationError) as refused:
        gateway.client("be-wrong").chat.completions.create(**CHAT)
    assert refused.value.code == "invalid_api_key"
    assert upstream.heard == []


def test_a_spent_budget_is_429_through_the_whole_gateway(folder, start):
    key = a_key(folder, "--requests", "2")
    client = start().client(key)
    for _ in range(2):
        client.chat.completions.create(**CHAT)
    with pytest.raises(openai.RateLimitError) as refused:
        client.chat.completions.create(**CHAT)
    assert refused.value.code == "insufficient_quota"
    assert "renew" in refused.value.message


def test_a_key_whose_dollars_are_less_than_a_request_may_cost_is_refused_before_it_is_sent(folder, start, upstream):
    key = a_key(folder, "--usd", "0.000001")
    with pytest.raises(openai.RateLimitError):
        start().client(key).chat.completions.create(**{**CHAT, "model": "mini", "max_tokens": 1_000})
    assert upstream.heard == []


def test_listing_the_models_takes_nothing_from_a_budget(folder, start):
    key = a_key(folder, "--requests", "1")
    client = start().client(key)
    assert [model.id for model in client.models.list()] == ["chat", "mini"]
    assert client.chat.completions.create(**CHAT).usage.prompt_tokens == 20


def test_the_admin_api_and_the_metrics_stand_beside_the_models(folder, start):
    key = a_key(folder)
    gateway = start(BREAKEVEN_ADMIN_TOKEN=TOKEN)
    gateway.client(key).chat.completions.create(**CHAT)
    assert gateway.get("/admin/keys")[0] == 401
    status, body = gateway.get("/admin/keys", TOKEN)
    assert (status, [one["name"] for one in json.loads(body)["keys"]]) == (200, ["tests"])
    status, body = gateway.get("/metrics")
    assert status == 200
    assert re.search(
        rb'breakeven_requests_total\{model="chat",outcome="complete",status="200",upstream="own"\} 1', body
    )
    assert key.encode() not in body


def test_without_an_admin_token_there_is_no_admin_api_and_the_start_says_so(folder, start):
    a_key(folder)
    gateway = start(BREAKEVEN_ADMIN_TOKEN="")
    assert any(line.startswith("no admin API: BREAKEVEN_ADMIN_TOKEN is empty") for line in gateway.told)
    assert gateway.get("/admin/keys", "anything")[0] == 404


def test_without_a_key_in_the_store_the_start_says_how_to_make_one(start):
    gateway = start()
    assert gateway.told[-1] == "no key exists yet: breakeven keys create NAME --store gateway.db"


def test_no_keys_lets_everybody_in_and_still_keeps_records(folder, start):
    gateway = start("--no-keys")
    assert "no keys are asked for" in gateway.told[-1]
    gateway.client("whatever").chat.completions.create(**{**CHAT, "model": "mini"})
    gateway.end()
    assert json.loads(run("price", "gateway.db", "--json", "-", folder=folder).stdout)["total"]["requests"] == 1


def test_a_store_that_cannot_be_opened_is_told_before_anything_listens(folder):
    (folder / "gateway.db").mkdir()
    ran = run("gateway", "gateway.yaml", "--listen", "127.0.0.1:0", folder=folder)
    assert ran.returncode == 2
    assert "the store of the gateway's books cannot be opened" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_what_an_own_machine_cost_while_nobody_asked_is_kept_apart(folder, start):
    key = a_key(folder)
    gateway = start(BREAKEVEN_ADMIN_TOKEN=TOKEN)
    gateway.client(key).chat.completions.create(**CHAT)
    until = time.monotonic() + SOON_S
    rows = []
    while not rows and time.monotonic() < until:
        rows = json.loads(gateway.get("/admin/machines", TOKEN)[1])["rows"]
        time.sleep(0.1)
    (own,) = rows
    assert own["upstream"] == "own"
    assert 0 < Decimal(own["served_usd"]) < Decimal(own["idle_usd"])
    assert Decimal(own["served_usd"]) + Decimal(own["idle_usd"]) == Decimal(own["usd"])
