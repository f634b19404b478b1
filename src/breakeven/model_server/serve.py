"""The model's own process: loads one GGUF file, serves it, tells its address, and ends when its parent is gone.

    python -m breakeven.model_server.serve '{"path": "model.gguf", "name": "m"}'

The address is one line of JSON on standard output. Standard input is a pipe that the parent never writes to: the
system closes it when the parent ends, however it ends, and that is the sign to go.
"""

import ctypes
import os
import signal
import sys
import threading

import msgspec

PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of Linux's prctl


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """What to serve and how.

    Attributes:
        path: The GGUF file.
        name: The model's name in the API.
        host: The address to listen on.
        port: The port; 0 lets the system choose one.
        slots: Requests that are worked on at once.
        context_tokens: The tokens of prompt and answer that each of them may have.
        threads: Processor threads; ``None`` leaves it to llama.cpp.
    """

    path: str
    name: str
    host: str = "127.0.0.1"
    port: int = 0
    slots: int = 4
    context_tokens: int = 2048
    threads: int | None = None


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """The one line that is written when the model answers."""

    url: str


def _die_with(parent: int, *, wanted: bool) -> None:
    """On Linux, while the model loads: llama.cpp holds the interpreter then, so nobody could read the pipe.

    Only while it loads, because Linux means the parent's *thread* by it.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PARENT_DEATH_SIGNAL, signal.SIGKILL if wanted else 0)
        if os.getppid() != parent:
            os._exit(0)


def _end_with_the_pipe() -> None:
    while os.read(0, 1):
        pass
    os._exit(0)


def main(asked: str) -> None:
    """Load, tell, serve until told to end."""
    what = msgspec.json.decode(asked, type=Served)
    parent = os.getppid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole group; the parent ends this process
    _die_with(parent, wanted=True)
    import xllamacpp  # type: ignore[import-untyped]  # noqa: PLC0415 - 100 MB, in this process only

    settings = xllamacpp.CommonParams()
    settings.model.path = what.path
    settings.model_alias = {what.name}
    settings.hostnames = [what.host]
    settings.port = what.port
    settings.n_parallel = what.slots
    settings.n_ctx = what.slots * what.context_tokens
    settings.endpoint_metrics = settings.endpoint_slots = True
    settings.ui = False
    settings.verbosity = 1
    if what.threads:
        settings.cpuparams.n_threads = what.threads
    server = xllamacpp.Server(settings)  # returns when the model is loaded
    _die_with(parent, wanted=False)
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    threading.Thread(target=_end_with_the_pipe, daemon=True).start()
    os.write(1, msgspec.json.encode(Ready(url=server.listening_address)) + b"\n")
    ended.wait()
    os._exit(0)  # taking llama.cpp down in order would wait for running answers


if __name__ == "__main__":
    main(sys.argv[1])
