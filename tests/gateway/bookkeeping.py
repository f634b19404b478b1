"""Books over a store of a test's own, keys in it, and records as the door writes them."""

import os
import pwd
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from breakeven.gateway.accounts import Accounts
from breakeven.gateway.books.books import Books
from breakeven.gateway.books.database import connect
from breakeven.gateway.books.keys import VirtualKey, digest_of, new_id, new_secret
from breakeven.gateway.books.schema import set_up
from breakeven.gateway.books.store import Store, now_us
from breakeven.gateway.books.teams import Team
from breakeven.gateway.records import UsageRecord
from breakeven.units import PICO_USD_PER_USD

USD = PICO_USD_PER_USD
PLACES = (Path("/usr/lib/postgresql"), Path("/usr/local"), Path("/usr"))


def record(number: int = 0, **facts: Any) -> UsageRecord:
    """A record of a request that cost a cent; what a test does not care about is plain."""
    plain: dict[str, Any] = {
        "id": f"req-{time.time_ns():020}-{number:06}",
        "at_us": now_us(),
        "path": "/v1/chat/completions",
        "model": "small",
        "upstream": "acme",
        "upstream_model": "small",
        "provider": "acme",
        "status": 200,
        "outcome": "complete",
        "attempts": 1,
        "input_tokens": 100,
        "output_tokens": 20,
        "duration_s": 0.5,
        "cost_pico_usd": USD // 100,
        "cost_basis": "list price",
        "tokens_basis": "upstream",
    }
    return UsageRecord(**plain | facts)


def opened(place: str, **how: Any) -> Store:
    """A store with its tables."""
    database = connect(place, wait_s=5.0, **how)
    set_up(database)
    return Store(database)


def add_key(place: str, **facts: Any) -> tuple[str, VirtualKey]:
    """A key in a store: its secret, and what is kept."""
    secret = new_secret()
    key = VirtualKey(id=new_id(), hint=secret[-4:], created_us=now_us(), **{"name": "a key"} | facts)
    store = opened(place)
    if key.team is not None:
        add_team(store, key.team)
    store.add_key(key, digest_of(secret))
    store.close()
    return secret, key


def add_team(store: Store, name: str, **facts: Any) -> None:
    """A team, unless it is there."""
    store.add_team(Team(id=name, name=name, created_us=now_us(), **facts))


def wait_until(holds: Callable[[], Any], within_s: float = 10.0) -> None:
    """Wait until something holds, but not for ever."""
    until = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < until, "it never came to hold"
        time.sleep(0.02)


@pytest.fixture
def place(tmp_path: Path) -> str:
    """Where a SQLite store of the test's own is."""
    return str(tmp_path / "gateway.db")


@pytest.fixture
def books(place: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Books]]:
    """Open books; they end with the test. A machine that is busy with other tests is no store that is away."""
    monkeypatch.setattr("breakeven.gateway.books.books.ANSWER_S", 20.0)
    begun: list[Books] = []

    def open_books(at: str = place, **said: Any) -> Books:
        begun.append(Books(Accounts(store=at, refresh_s=said.pop("refresh_s", 0.1), **said)).begin())
        return begun[-1]

    yield open_books
    for one in begun:
        one.end()


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[tuple[Path, Callable[[], Any]]]:
    """A disk of 600 kB, and a way to make it larger; where none may be mounted, files may not grow."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode == 0:
        larger = ["mount", "-o", "remount,size=50m", str(folder)]
        try:
            yield folder, lambda: subprocess.run(larger, check=True)
        finally:
            subprocess.run(["umount", "-l", str(folder)], check=True)
        return
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, before[1]))
    try:
        yield folder, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, before)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def programs() -> Path | None:
    """The newest PostgreSQL server of this machine; ``None`` where there is none."""
    found = sorted(path.parent for place in PLACES for path in place.glob("**/bin/initdb"))
    return max(found, key=lambda path: [int(part) for part in path.parts if part.isdigit()], default=None)


class Server:
    """A PostgreSQL server of a test's own, on a socket in a folder of its own."""

    def __init__(self, folder: Path, bin_folder: Path) -> None:
        self._bin, self._data, self.folder = bin_folder, folder / "data", folder
        self._as = pwd.getpwnam("nobody") if os.getuid() == 0 else None
        if self._as:
            os.chown(folder, self._as.pw_uid, self._as.pw_gid)
        self._run("initdb", "-D", str(self._data), "-U", "books", "-A", "trust", "-N", "-E", "UTF8", "--locale=C")
        self.place = f"postgresql://books@/postgres?host={folder}"
        self.start()

    def _run(self, program: str, *arguments: str) -> None:
        who = {"user": self._as.pw_uid, "group": self._as.pw_gid, "extra_groups": []} if self._as else {}
        subprocess.run(
            [str(self._bin / program), *arguments], check=True, capture_output=True, cwd=self.folder, timeout=60, **who
        )

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = f"-c listen_addresses='' -c unix_socket_directories='{self.folder}' -c fsync=off"
        log = str(self.folder / "log")
        self._run("pg_ctl", "start", "-w", "-D", str(self._data), "-l", log, "-o", options)

    def stop(self) -> None:
        """Stop it at once, with whatever it is doing."""
        self._run("pg_ctl", "stop", "-w", "-m", "immediate", "-D", str(self._data))

    def alive(self) -> bool:
        """Whether it runs."""
        return (self._data / "postmaster.pid").exists()


@pytest.fixture(scope="session")
def cluster() -> Iterator[Server]:
    """A real PostgreSQL server."""
    found = programs()
    if found is None:
        pytest.skip("no PostgreSQL server on this machine, and tools/install_services.sh could not install one")
    pytest.importorskip("psycopg")
    folder = Path(tempfile.mkdtemp(prefix="be-pg-"))  # a short path: a socket's name has 107 characters at most
    folder.chmod(0o755)
    server = Server(folder, found)
    try:
        yield server
    finally:
        if server.alive():
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres(cluster: Server) -> Iterator[str]:
    """An empty database of the test's own."""
    import psycopg

    if not cluster.alive():
        cluster.start()
    name = f"books_{time.time_ns()}"
    with psycopg.connect(cluster.place, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
    yield cluster.place.replace("/postgres?", f"/{name}?")


def hammer(place: str, secret: str, *numbers: int) -> "subprocess.Popen[str]":
    """A gateway's books in another process, at work on a key."""
    command = [sys.executable, "-m", "tests.gateway.hammer", place, secret, *map(str, numbers)]
    process = subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    return process


def killed(process: "subprocess.Popen[Any]") -> None:
    """SIGKILL, and the end of it."""
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=10)
