"""`breakeven local`: a real model behind a real gateway, started as a user does it and ended in every way there is."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

import pytest

PATIENCE_S = 90.0


@dataclass
class Running:
    """The command, and what it said of itself."""

    process: subprocess.Popen
    said: str

    def found(self, pattern: str) -> str:
        return re.search(pattern, self.said, re.MULTILINE)[1]

    @property
    def port(self) -> int:
        return int(self.found(r"^base_url +http://127\.0\.0\.1:(\d+)/v1$"))

    @property
    def model_pid(self) -> int:
        return int(self.found(r"process (\d+)\)$"))

    def busy_slots(self) -> int:
        behind = self.found(r"^behind it (\S+)/v1 ")
        with urllib.request.urlopen(f"{behind}/slots", timeout=PATIENCE_S) as reply:
            return sum(slot["is_processing"] for slot in json.load(reply))

    def written_tokens(self) -> float:
        behind = self.found(r"^behind it (\S+)/v1 ")
        with urllib.request.urlopen(f"{behind}/metrics", timeout=PATIENCE_S) as reply:
            return float(re.search(r"^llamacpp:tokens_predicted_total (\S+)$", reply.read().decode(), re.MULTILINE)[1])

    def ask(self, **more):
        connection = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        body = {"model": "smollm2-135m", "messages": [{"role": "user", "content": "Say hello."}], "temperature": 0}
        connection.request(
            "POST",
            "/v1/chat/completions",
            json.dumps(body | {"max_tokens": 6} | more),
            {"content-type": "application/json"},
        )
        return connection, connection.getresponse()

    def chat(self, **more) -> dict:
        connection, reply = self.ask(**more)
        with reply:
            assert reply.status == 200
            said = json.loads(reply.read())
        connection.close()
        return said


def start(*flags: str) -> Running:
    code = "import sys; from breakeven.cli import main; sys.argv[0] = 'breakeven'; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "local", "--port", "0", "--slots", "2", "--context-tokens", "512", *flags],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    said = ""
    while "Ctrl-C" not in said:
        line = process.stdout.readline()
        assert line, process.stderr.read()
        said += line
    return Running(process, said)


def end(running: Running) -> tuple[int, str]:
    """Its exit code and what it said last; afterwards nothing is left of it."""
    try:
        _, told = running.process.communicate(timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:
        running.process.kill()
        running.process.communicate()
        raise
    until(lambda: gone(running.model_pid))
    return running.process.returncode, told


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def until(holds) -> None:
    for _ in range(int(PATIENCE_S / 0.05)):
        if holds():
            return
        time.sleep(0.05)
    raise AssertionError("it never came to hold")


@pytest.fixture(scope="module")
def running():
    one = start()
    yield one
    one.process.send_signal(signal.SIGINT)
    assert end(one)[0] == 0


def test_the_line_that_is_printed_is_a_working_chat(running):
    (line,) = re.findall(r"^curl .*$", running.said, re.MULTILINE)
    with_limit = line.replace('"messages"', '"max_tokens": 6, "messages"')
    told = subprocess.run(
        ["bash", "-c", f"{with_limit} -s -m {PATIENCE_S:.0f}"], capture_output=True, text=True, check=True
    )
    said = json.loads(told.stdout)
    assert said["choices"][0]["message"]["content"]
    assert said["usage"]["completion_tokens"] > 0


def test_a_stream_passes_through_frame_by_frame(running):
    connection, reply = running.ask(stream=True)
    with reply:
        assert reply.getheader("content-type").startswith("text/event-stream")
        frames = [line[6:] for line in reply.read().decode().splitlines() if line.startswith("data: ")]
    connection.close()
    deltas = [choice["delta"] for frame in frames[:-1] for choice in json.loads(frame)["choices"]]
    assert frames[-1] == "[DONE]"
    assert "".join(delta.get("content") or "" for delta in deltas) == running.chat()["choices"][0]["message"]["content"]


def test_more_callers_than_slots_wait_and_are_all_answered(running):
    with ThreadPoolExecutor(5) as callers:
        answers = list(callers.map(lambda _: running.chat(), range(5)))
    assert all(answer["usage"]["completion_tokens"] > 0 for answer in answers)


def test_a_caller_who_hangs_up_frees_the_slot(running):
    before = running.written_tokens()
    connection, reply = running.ask(stream=True, max_tokens=450, ignore_eos=True)
    assert reply.readline().startswith(b"data: ")
    assert running.busy_slots() == 1
    reply.close()
    connection.close()
    until(lambda: running.busy_slots() == 0)
    assert running.written_tokens() - before < 300, "it went on writing for nobody"


def test_another_model_is_unknown(running):
    connection, reply = running.ask(model="gpt-4o")
    with reply:
        assert reply.status == 404
        assert "not served here" in json.loads(reply.read())["error"]["message"]
    connection.close()


def test_prometheus_can_read_what_was_used(running):
    running.chat()
    with urllib.request.urlopen(f"http://127.0.0.1:{running.port}/metrics", timeout=PATIENCE_S) as reply:
        told = reply.read().decode()
    count = re.search(
        r'^breakeven_tokens_total\{kind="output",model="smollm2-135m",upstream="local"\} (\S+)$', told, re.M
    )
    assert float(count[1]) > 0


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_being_told_to_end_ends_both(sign):
    one = start()
    one.chat()
    one.process.send_signal(sign)
    code, told = end(one)
    assert code in {0, -sign}
    if sign == signal.SIGINT:
        assert "1 requests, " in told


def test_the_model_does_not_survive_a_command_that_is_killed():
    one = start()
    one.process.kill()
    end(one)


def test_a_model_server_that_dies_is_told_and_ends_the_command():
    one = start()
    os.kill(one.model_pid, signal.SIGKILL)
    code, told = end(one)
    assert code == 1
    assert "the model server was ended by signal 9" in told


def test_a_port_that_is_taken_is_an_error_only_if_it_was_asked_for(running):
    code = "import sys; from breakeven.cli import main; sys.argv[0] = 'breakeven'; main()"
    asked = [sys.executable, "-c", code, "local", "--port", str(running.port)]
    refused = subprocess.run(asked, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert refused.returncode == 2
    assert "cannot be listened on" in refused.stderr
