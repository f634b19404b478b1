"""A package of the function, unpacked and run in the local stack with the real model: what is in it and nothing else.

python tools/run_lambda.py build/lambda/gateway-python3.13-x86_64.zip --python python3.13

The interpreter must be of the version and the processor that the package was made for. Both ways of starting are asked
for an answer: the wrapper (streamed) and the handler under AWS's loop (buffered). The services around are stand-ins.
"""

import argparse
import json
import shutil
import sys
import tempfile
import urllib.request
import zipfile
from pathlib import Path

from breakeven.model_server import weights
from breakeven.model_server.serve import Served
from breakeven.standins.environment import Function
from breakeven.standins.stack import BUFFERED, STREAMED, Stack, Wishes

ANSWER_S = 300.0
TOKENS = 8


def main() -> None:
    """Run, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("package", type=Path)
    parser.add_argument("--python", default="python3.13")
    asked = parser.parse_args()
    interpreter = shutil.which(asked.python)
    if interpreter is None:
        sys.exit(f"{asked.python} is not on this machine")
    with tempfile.TemporaryDirectory() as folder:
        task = Path(folder)
        with zipfile.ZipFile(asked.package) as packed:
            packed.extractall(task)
        (task / "bootstrap").chmod(0o755)
        served = Served(path=str(weights.bundled()), name=weights.DEFAULT_NAME, slots=1, context_tokens=512)
        wishes = Wishes(model=served, functions=functions(task, interpreter))
        with Stack(wishes, lambda said: print(said, file=sys.stderr), heard) as stack:
            for name, url in (("streamed", stack.rest_url), ("buffered", stack.rest_buffered_url)):
                print(f"{asked.package.name} under {asked.python}, {name}: {answer(url, stack.key)!r}")


def functions(task: Path, interpreter: str) -> tuple[Function, ...]:
    """The package's two ways of starting, with nothing on the path but the package."""
    variables = {"LAMBDA_TASK_ROOT": str(task), "PYTHONPATH": str(task), "VIRTUAL_ENV": ""}
    wrapped = (str(task / "bootstrap"), interpreter, "runtime.py")
    looped = (interpreter, "-m", "awslambdaric", "bootstrap.handler")
    return (
        Function(name=STREAMED, command=wrapped, variables=variables, environments=1),
        Function(name=BUFFERED, command=looped, variables=variables, environments=1),
    )


def heard(part: str, line: str) -> None:
    """A line of a part."""
    print(f"{part} | {line}", file=sys.stderr)


def answer(url: str, key: str) -> str:
    """The words of one answer."""
    body = {
        "model": weights.DEFAULT_NAME,
        "max_tokens": TOKENS,
        "messages": [{"role": "user", "content": "Say hello."}],
    }
    headers = {"content-type": "application/json", "x-api-key": key}
    asked = urllib.request.Request(f"{url}/chat/completions", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(asked, timeout=ANSWER_S) as said:
        words: str = json.load(said)["choices"][0]["message"]["content"]
    return words


if __name__ == "__main__":
    main()
