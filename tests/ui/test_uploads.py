"""Files that are sent: read apart, within limits, and never half-used."""

import asyncio
import gzip
import os
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakeven.errors import SpecError
from breakeven.ui import reading
from breakeven.ui.multipart import FormFile
from breakeven.ui.scenario import scenario_of
from breakeven.workload.spec import read_specs

EXAMPLES = Path(__file__).parents[2] / "examples"
LOG = (EXAMPLES / "usage.jsonl").read_bytes()


def _sent(client, content, name, **query):
    return client.post("/api/v1/workload", params={"name": name, **query}, content=content)


def test_a_log_becomes_a_scenario_with_the_promise_that_stood_there(client):
    found = _sent(client, LOG, "march.jsonl", base="at_least=gpt-4o&latency.ttft_s=0.7").json()
    scenario = scenario_of(found["query"])
    assert found["kind"] == "log"
    assert scenario.spec.name == "march"
    assert scenario.spec.at_least == "gpt-4o"
    assert scenario.spec.latency.ttft_s == 0.7
    assert scenario.spec.tokens.shapes
    assert scenario.spec.traffic.requests_per_day == pytest.approx(23.16, abs=0.01)
    assert "requests" in found["told"][0]


def test_a_plain_form_leads_to_the_scenario_of_its_file_or_tells_what_is_wrong(client):
    sent = client.post("/upload?base=at_least%3Dgpt-4o", files={"file": ("march.jsonl", LOG)}, follow_redirects=False)
    assert sent.status_code == 303
    found = scenario_of(sent.headers["location"].removeprefix("/?").removesuffix("&drawn=all"))
    assert (found.spec.name, found.spec.at_least) == ("march", "gpt-4o")
    for files, told in (
        ({"file": ("a.csv", b"hello")}, "nothing usable"),
        ({"other": (None, "x")}, "no file in it"),
        ({"file": ("a.csv", b"x" * 300_000)}, "at most 200,000"),
    ):
        refused = client.post("/upload", files=files)
        assert refused.status_code == 422
        assert told in refused.text
        assert "<form" in refused.text
    assert "no boundary" in client.post("/upload", content=b"hello").text


@given(content=st.binary(max_size=300), step=st.integers(1, 60))
def test_a_file_comes_out_of_a_form_as_it_went_in_however_the_form_is_cut(content, step):
    mark = b"----x7"
    body = b"--" + mark + b'\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n' + content
    body += b"\r\n--" + mark + b"--\r\n"

    async def pieces():
        for start in range(0, len(body), step):
            yield body[start : start + step]

    async def read():
        form = FormFile(pieces(), 'multipart/form-data; boundary="----x7"')
        return await form.name(), b"".join([part async for part in form.content()])

    if b"\r\n--" + mark not in content:
        assert asyncio.run(read()) == ("a.csv", content)


def test_a_form_that_ends_too_soon_is_refused():
    async def pieces():
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\nabc'

    async def read():
        form = FormFile(pieces(), "multipart/form-data; boundary=x")
        return await form.name(), [part async for part in form.content()]

    with pytest.raises(SpecError, match="no end"):
        asyncio.run(read())


def test_a_packed_log_is_read_too(client):
    assert _sent(client, gzip.compress(LOG), "log.jsonl.gz").json()["kind"] == "log"


def test_a_spec_becomes_the_scenario_that_it_is(client):
    path = EXAMPLES / "chat-assistant.yaml"
    found = _sent(client, path.read_bytes(), path.name).json()
    assert scenario_of(found["query"]).spec == read_specs(path)[0]


@pytest.mark.parametrize(
    ("content", "name", "status", "told"),
    [
        (b"", "a.jsonl", 422, "empty"),
        (b"x" * 300_000, "a.csv", 413, "at most 200,000"),
        (b"hello", "a.csv", 422, "nothing usable"),
        (b"\x00\xff" * 50, "../../etc/passwd", 422, "nothing usable"),
        (b"traffic: {requests_per_day: lots}\n", "a.yaml", 422, "requests_per_day"),
        (b"overlay: /etc/passwd\n", "a.yml", 422, "overlay names a file"),
        (b"? [\n", "a.yaml", 422, "not YAML"),
    ],
)
def test_what_cannot_be_used_is_told(client, content, name, status, told):
    found = _sent(client, content, name)
    assert found.status_code == status
    assert told in found.json()["error"]
    assert "/tmp" not in found.json()["error"]


def test_a_size_that_nobody_announced_is_limited_as_it_comes_in(client):
    def parts():
        for _ in range(30):
            yield b"y" * 10_000

    assert client.post("/api/v1/workload?name=a.csv", content=parts()).status_code == 413


def test_a_spec_that_blows_up_is_refused_within_its_limits(client):
    levels = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    bomb = "\n".join(["a0: &a0 [x, x, x, x, x, x, x, x, x]", *levels, "scores: *a11"]).encode()
    assert _sent(client, bomb, "bomb.yaml").status_code == 422


@pytest.mark.skipif(sys.platform == "win32", reason="limits of a process are those of Unix")
def test_the_process_that_reads_is_confined_before_it_reads(tmp_path):
    import subprocess

    path = tmp_path / "upload.yaml"
    path.write_bytes((EXAMPLES / "chat-assistant.yaml").read_bytes())
    asked = "(resource.RLIMIT_CPU, resource.RLIMIT_AS, resource.RLIMIT_FSIZE)"
    code = (
        "import resource; from breakeven.ui import reading; reading.main(); "
        f"print(*[resource.getrlimit(what)[0] for what in {asked}])"
    )
    command = [sys.executable, "-c", code, str(path)]
    told = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ})
    assert told.stdout.split() == [str(n) for n in (reading.CPU_S, reading.MEMORY_BYTES, reading.WRITTEN_BYTES)]
    assert b"chat-assistant" in (tmp_path / reading.ANSWER).read_bytes()


def test_nothing_of_a_file_is_left_behind(client, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", None)
    assert _sent(client, LOG, "log.jsonl").status_code == 200
    assert list(tmp_path.iterdir()) == []
