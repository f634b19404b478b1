"""`breakeven up --local` as a user runs it: it says where it answers, and nothing of it outlives it."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from tests.standins.running import PATIENCE_S, asked, post, until
from typer.testing import CliRunner

from breakeven.cli.app import app
from breakeven.errors import SpecError

CODE = (
    "import signal, sys; from breakeven.cli import main; sys.argv[0] = 'breakeven'; "
    "signal.signal(signal.SIGINT, signal.default_int_handler); main()"
)
"""The command as a terminal runs it: what a shell runs in the background ignores Ctrl-C, and so would its children."""


class Running:
    """The command, what it printed, and every process below it."""

    def __init__(self, *flags):
        self.process = subprocess.Popen(
            [sys.executable, "-c", CODE, "up", "--local", "--slots", "2", "--context-tokens", "512", *flags],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.told = []
        self.listener = threading.Thread(target=lambda: self.told.extend(self.process.stderr), daemon=True)
        self.listener.start()
        self.said = ""
        while "Ctrl-C" not in self.said:
            line = self.process.stdout.readline()
            assert line, self.told
            self.said += line

    def found(self, pattern):
        return re.search(pattern, self.said, re.MULTILINE)[1]

    def below(self):
        """The processes of the stack, the functions' own included."""
        found, left = [], [self.process.pid]
        while left:
            pid = left.pop()
            for task in Path(f"/proc/{pid}/task").glob("*/children"):
                children = [int(one) for one in task.read_text().split()]
                found += children
                left += children
        return found

    def wait(self):
        code = self.process.wait(PATIENCE_S)
        self.listener.join(PATIENCE_S)
        self.process.stdout.close()
        self.process.stderr.close()
        return code, "".join(self.told)


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def ask(running, api, **more):
    key = {"x-api-key": running.found(r"^x-api-key of the REST API +(\S+)$")}
    return post(running.found(rf"^{api} +(\S+)$") + "/chat/completions", asked(**more), key)


@pytest.mark.skipif(sys.platform != "linux", reason="that no process is left is seen under /proc, which only Linux has")
def test_what_is_printed_answers_a_part_that_dies_is_told_once_and_ctrl_c_leaves_nothing():
    running = Running()
    assert ask(running, "REST API that streams", stream=True).body.endswith(b"data: [DONE]\n\n")
    assert ask(running, "HTTP API, payload 2.0").status == 200
    everything = running.below()
    assert len(everything) >= 7, "model, four stand-ins and two functions"
    os.kill(int(running.found(r"container (\d+)")), signal.SIGKILL)
    until(lambda: any("was ended by signal 9" in line for line in running.told))
    assert ask(running, "HTTP API, payload 2.0").status == 503
    time.sleep(1.0)
    running.process.send_signal(signal.SIGINT)
    code, told = running.wait()
    assert code == 0, "Ctrl-C is how it ends"
    assert told.count("was ended by signal 9") == 1
    assert "the stand-in of API Gateway starts" in told
    assert "REPORT RequestId" in told
    until(lambda: not any(map(alive, everything)))


@pytest.mark.skipif(sys.platform != "linux", reason="that no process is left is seen under /proc, which only Linux has")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_command_that_is_ended_or_killed_takes_everything_with_it(number):
    running = Running("--quiet")
    assert ask(running, "REST API, buffered").status == 200
    everything = running.below()
    running.process.send_signal(number)
    assert running.wait()[0] == (0 if number == signal.SIGTERM else -signal.SIGKILL)
    until(lambda: not any(map(alive, everything)))


def test_without_local_it_says_which_command_makes_resources():
    got = CliRunner().invoke(app, ["up"])
    assert isinstance(got.exception, SpecError)
    assert "use `breakeven deploy`" in str(got.exception)


def test_a_port_that_is_taken_is_one_message_and_nothing_stays_behind():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        command = [sys.executable, "-c", CODE, "up", "--local", "--http-port", str(taken.getsockname()[1])]
        got = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert got.returncode == 2
    (message,) = [line for line in got.stderr.splitlines() if line.startswith("breakeven:")]
    assert "the front did not start" in message or "API Gateway did not start" in message
    assert "in use" in message
    assert "Traceback" not in got.stderr
