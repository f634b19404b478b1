"""`breakeven ui`: it prints its address and serves there, and nothing that is open to others goes without a token."""

import signal
import socket
import subprocess
import sys
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

pytest.importorskip("uvicorn", reason="the pages need the extra `ui`")
COMMAND = [sys.executable, "-c", "from breakeven.cli import main; main()", "ui"]
SECONDS = 60


@pytest.fixture
def started():
    """Starts the command; the address that it prints. It is stopped, and must have stopped of itself, at the end."""
    running = []

    def start(*flags):
        process = subprocess.Popen([*COMMAND, "--port", "0", *flags], stdout=subprocess.PIPE, text=True)
        running.append(process)
        return process.stdout.readline().strip()

    yield start
    for process in running:
        process.send_signal(signal.SIGINT)
        process.stdout.close()
        assert process.wait(SECONDS) in (0, 130, -signal.SIGINT)


@pytest.fixture
def told():
    """What the command says when it is refused."""

    def run(*flags):
        done = subprocess.run([*COMMAND, *flags], capture_output=True, text=True, timeout=SECONDS, check=False)
        assert done.returncode == 2
        assert "Traceback" not in done.stderr
        return done.stderr

    return run


def test_it_prints_the_address_at_which_it_answers(started):
    address = started()
    assert address.startswith("http://127.0.0.1:")
    with urlopen(f"{address}assets/ui.css", timeout=SECONDS) as found:
        assert found.status == 200
        assert "server" not in {name.lower() for name in found.headers}


def test_it_asks_for_the_token_of_its_file(started, tmp_path):
    token = tmp_path / "token"
    token.write_text("a-token-that-is-long\n", encoding="utf-8")
    address = started("--token-file", str(token))
    with pytest.raises(HTTPError) as wrong:
        urlopen(f"{address}api/v1/accuracy", timeout=SECONDS)
    assert wrong.value.code == 401
    wrong.value.close()
    asked = Request(f"{address}api/v1/accuracy", headers={"Authorization": "Bearer a-token-that-is-long"})
    with urlopen(asked, timeout=SECONDS) as found:
        assert found.status == 200


def test_a_store_that_is_away_at_the_start_is_told_and_the_pages_go_on(tmp_path):
    process = subprocess.Popen(
        [*COMMAND, "--port", "0", "--store", str(tmp_path / "none.db")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        address = process.stdout.readline().strip()
        with pytest.raises(HTTPError) as wrong:
            urlopen(f"{address}api/v1/spend", timeout=SECONDS)
        assert wrong.value.code == 503
        wrong.value.close()
        with urlopen(f"{address}api/v1/accuracy", timeout=SECONDS) as found:
            assert found.status == 200
    finally:
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=SECONDS)
    assert "there is no file" in told
    assert "Traceback" not in told


def test_the_address_of_a_store_may_stand_in_the_environment(monkeypatch, started, tmp_path):
    monkeypatch.setenv("BREAKEVEN_STORE", str(tmp_path / "of-the-environment.db"))
    address = started()
    with pytest.raises(HTTPError) as wrong:
        urlopen(f"{address}api/v1/machines", timeout=SECONDS)
    assert "of-the-environment.db" in wrong.value.read().decode()
    wrong.value.close()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_an_address_for_others_without_a_token_is_refused(told, host):
    assert "no token is given" in told("--host", host)


def test_a_token_that_can_be_guessed_is_refused(told, tmp_path):
    short = tmp_path / "token"
    short.write_text("secret", encoding="utf-8")
    assert "6 characters" in told("--token-file", str(short))
    assert "cannot be read" in told("--token-file", str(tmp_path / "none"))


def test_a_port_that_is_taken_is_told(told):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert "cannot be listened on" in told("--port", str(taken.getsockname()[1]))
