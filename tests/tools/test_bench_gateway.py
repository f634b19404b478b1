"""The load of `make bench-gateway`: it finds what it is there to find."""

import asyncio
import importlib
import shutil
import time

import pytest

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="the load is written in C, and there is no compiler")


@pytest.fixture(scope="module")
def measure(tmp_path_factory):
    module = importlib.import_module("gateway_load.measure")
    kept, module.HOME, module.LOAD_CORE = module.HOME, tmp_path_factory.mktemp("load"), "0"
    module.compile_load()
    yield module
    module.HOME = kept


def served(measure, answer: bytes, kind: str, *numbers: float) -> dict:
    """What load.c says of a server that always gives this answer."""

    async def run():
        async def handle(reader, writer):
            try:
                while True:
                    await reader.readuntil(b"\r\n\r\n")
                    await reader.readexactly(len(measure.Target(port=0, key="").body(streamed=kind == "streams")))
                    writer.write(answer)
            except asyncio.IncompleteReadError:
                writer.close()

        server = await asyncio.start_server(handle, "127.0.0.1", 0)
        target = measure.Target(port=server.sockets[0].getsockname()[1], key="k")
        try:
            return await asyncio.to_thread(measure.load, target, kind, *numbers, limit_s=30)
        finally:
            server.close()
            await asyncio.sleep(0.05)

    return asyncio.run(run())


def stream(*frames: int, done: bool = True, cut_at: int = 37) -> bytes:
    """A chunked stream of those frames, cut into chunks that have nothing to do with them."""
    written_ns = time.monotonic_ns()
    text = "".join(f'data: {{"choices":[{{"delta":{{"content": "{n:06d} {written_ns:019d} "}}}}]}}\n\n' for n in frames)
    body = (text + ("data: [DONE]\n\n" if done else "")).encode()
    chunks = [body[at : at + cut_at] for at in range(0, len(body), cut_at)]
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    return head + b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"


@pytest.mark.parametrize("cut_at", [1, 2, 37, 100_000])
def test_a_whole_stream_is_whole_however_it_is_cut(measure, cut_at):
    told = served(measure, stream(0, 1, 2, cut_at=cut_at), "streams", 2, 0.01, 3)
    assert (told["frames"], told["lost"], told["disordered"], told["done"]) == (6, 0, 0, 2)
    assert told["first_ms"]["p50"] > 0


def test_a_frame_that_is_missing_is_seen(measure):
    told = served(measure, stream(0, 2, 3), "streams", 1, 0.01, 4)
    assert told["lost"] == 1
    assert told["disordered"] > 0


def test_frames_in_another_order_are_seen(measure):
    told = served(measure, stream(0, 2, 1, 3), "streams", 1, 0.01, 4)
    assert (told["lost"], told["disordered"]) == (0, 2)


def test_a_stream_without_its_end_is_a_loss(measure):
    assert served(measure, stream(0, 1, done=False), "streams", 1, 0.01, 2)["lost"] == 1


def test_an_answer_that_is_no_success_is_not_counted_as_one(measure):
    told = served(measure, b"HTTP/1.1 429 No\r\ncontent-length: 2\r\n\r\n{}", "open", 4, 200, 0.2)
    assert told["done"] == 0
    assert told["refused"] == told["sent"] > 10


def test_load_that_does_not_wait_counts_from_the_moment_a_request_was_due(measure):
    async def run():
        async def slow(reader, writer):
            try:
                while True:
                    await reader.readuntil(b"}]")
                    await asyncio.sleep(0.05)
                    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
            except asyncio.IncompleteReadError:
                writer.close()

        server = await asyncio.start_server(slow, "127.0.0.1", 0)
        target = measure.Target(port=server.sockets[0].getsockname()[1], key="k")
        try:
            return await asyncio.to_thread(measure.load, target, "open", 1, 40, 0.5, limit_s=30)
        finally:
            server.close()
            await asyncio.sleep(0.05)

    told = asyncio.run(run())
    assert told["ms"]["max"] > 150, "one connection can do 20 a second, so the last of 40 a second waits"


def test_the_model_server_streams_its_frames_at_their_pace(measure):
    with measure.running(
        str(measure.HOME / "upstream"), "0", "5", "20000", core="0", log=measure.HOME / "log"
    ) as process:
        target = measure.Target(port=int(process.stdout.readline()), key="k")
        told = measure.load(target, "streams", 20, 0.01, 5, limit_s=30)
        once = measure.load(target, "open", 4, 200, 0.2, limit_s=30)
    assert (told["frames"], told["lost"], told["disordered"], told["at_once"]) == (100, 0, 0, 20)
    assert told["seconds"] >= 0.08
    assert once["done"] == once["sent"]


def test_the_highest_rate_is_the_last_that_keeps_the_limit(measure, monkeypatch):
    monkeypatch.setattr(measure, "p99_at", lambda _, rate, __: rate / 100)
    found = measure.highest_rates(measure.Target(port=0, key=""), 1000.0, 1.0)
    assert found == {1.0: 50.0, 5.0: 400.0, 10.0: 900.0}
    monkeypatch.setattr(measure, "p99_at", lambda *_: float("inf"))
    assert set(measure.highest_rates(measure.Target(port=0, key=""), 1000.0, 1.0).values()) == {None}
