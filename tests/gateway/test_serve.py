"""Serving: who may administer it, and how it stops."""

import contextlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time

import pytest
from tests.gateway.running import read_answer
from tests.gateway.scripted import CHAT, SOON_S, delta, honest

from breakeven.errors import SpecError
from breakeven.gateway.serve import listening_socket, refuse_open_admin

STREAM = {**CHAT, "stream": True}
COMMAND = [sys.executable, "-c", "from breakeven.cli import main; main()", "gateway"]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_an_empty_admin_token_will_do_on_ones_own_machine(host):
    refuse_open_admin(host, "", "TOKEN")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "gateway.internal"])
def test_an_empty_or_short_admin_token_is_refused_where_others_can_connect(host):
    for token, says in (("", "is empty"), ("short", "is too short")):
        with pytest.raises(SpecError, match=says) as refused:
            refuse_open_admin(host, token, "TOKEN")
        assert "short" not in refused.value.given.replace("is too short", "")
    refuse_open_admin(host, "0123456789abcdef", "TOKEN")


def test_an_address_that_is_taken_is_told():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(SpecError, match="cannot be listened on"):
            listening_socket("127.0.0.1", taken.getsockname()[1])


@pytest.fixture
def started(tmp_path, upstream):
    """Starts `breakeven gateway` as a user would; gives the process, its port and its store."""
    processes = []

    def start(*flags, drain_s=10, **environment):
        config = tmp_path / "gateway.yaml"
        store = tmp_path / "gateway.db"
        config.write_text(
            json.dumps({
                "listen": "127.0.0.1:0", "limits": {"drain_s": drain_s}, "models": {"chat": ["own"]},
                "upstreams": {"own": {"url": upstream.url}},
            })
        )  # fmt: skip
        command = [*COMMAND, str(config), "--store", str(store), "--no-keys", *flags]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment}
        )
        processes.append(process)
        for line in process.stdout:
            if line.startswith("http://"):
                return process, int(line.rpartition(":")[2].removesuffix("/v1\n")), store
        raise AssertionError(process.stderr.read())

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def records_in(store) -> list[dict]:
    """The usage records of a store, once its gateway has ended or a second has passed."""
    with contextlib.closing(sqlite3.connect(store)) as database:
        database.row_factory = sqlite3.Row
        return [dict(row) for row in database.execute("SELECT * FROM usage")]


def post(port, body):
    raw = json.dumps(body).encode()
    connection = socket.create_connection(("127.0.0.1", port), timeout=10)
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {len(raw)}\r\n\r\n"
    connection.sendall(head.encode() + raw)
    return connection


async def slow_stream(heard):
    await heard.begin_stream()
    await heard.frame(delta("Half"))
    heard.upstream.go_on.wait(SOON_S)
    await heard.frame(delta(" and half", "stop"))
    await heard.end_stream()


def test_on_sigterm_open_streams_end_and_nobody_new_is_let_in(started, upstream):
    import threading

    process, port, store = started("--log-requests")
    upstream.go_on = threading.Event()
    upstream.script = slow_stream
    with post(port, STREAM) as connection:
        data = b""
        while b"Half" not in data:
            data += connection.recv(65_536)
        process.send_signal(signal.SIGTERM)
        refused_by = time.monotonic() + 5
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
            except ConnectionError:
                break
            assert time.monotonic() < refused_by
            time.sleep(0.02)
        upstream.go_on.set()
        while piece := connection.recv(65_536):
            data += piece
    assert b" and half" in data
    assert data.endswith(b"0\r\n\r\n")
    _, log = process.communicate(timeout=60)
    assert [record["outcome"] for record in records_in(store)] == ["complete"]
    (line,) = [json.loads(one) for one in log.splitlines()]
    assert (line["event"], line["record"]["status"]) == ("request", 200)
    assert "Hi" not in log


def test_a_stream_that_outlives_the_drain_is_cut_and_still_recorded(started, upstream):
    process, port, store = started(drain_s=1)

    async def endless(heard):
        await heard.begin_stream()
        await heard.frame(delta("Half"))
        await heard.wait_for_hang_up()

    upstream.script = endless
    with post(port, STREAM) as connection:
        while b"Half" not in connection.recv(65_536):
            pass
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    assert upstream.hung_up.wait(SOON_S)
    (record,) = records_in(store)
    assert (record["outcome"], record["tokens_basis"]) == ("failed", "counted")


def test_the_command_serves_what_its_file_says(started, upstream):
    process, port, store = started()
    upstream.script = honest
    assert read_answer(post(port, CHAT)).status == 200
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert [record["output_tokens"] for record in records_in(store)] == [5]


def _run(*arguments, **environment):
    done = subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **environment},
    )
    return done.returncode, done.stdout + done.stderr


def test_the_command_refuses_to_open_an_admin_api_to_others(tmp_path):
    config = tmp_path / "gateway.yaml"
    config.write_text("listen: 0.0.0.0:0\nmodels: {chat: [own]}\nupstreams: {own: {url: http://127.0.0.1:1/v1}}")
    code, told = _run(str(config), BREAKEVEN_ADMIN_TOKEN="")
    assert code == 2
    assert "BREAKEVEN_ADMIN_TOKEN is empty" in told


def test_the_rules_can_be_looked_at_without_serving(tmp_path):
    config = tmp_path / "gateway.yaml"
    config.write_text(
        "models: {chat: [own, api]}\nupstreams:\n"
        "  own: {urls: ['http://10.0.0.5/v1', 'http://10.0.0.6/v1'], concurrency: 39, usd_per_hour: 1.25}\n"
        "  api: {provider: openai, model: gpt-4o-mini, key_env: SOME_KEY}\n"
    )
    code, told = _run(str(config), "--check", SOME_KEY="sk-hidden")
    assert code == 0
    assert "own: 2 of your own, 39 requests at a time on each, $1.25 an hour each" in told
    assert "api: openai/gpt-4o-mini" in told
    assert "sk-hidden" not in told
    code, told = _run("--check")
    assert (code, "no model to serve" in told) == (2, True)
