"""Package the gateway as a Lambda function: one zip an architecture, the same bytes for the same sources and lock.

python tools/build_lambda.py                    both architectures, for Python 3.13
python tools/build_lambda.py --python 3.11      another Python, to run the package on this machine
"""

import argparse
import contextlib
import hashlib
import py_compile
import shutil
import stat
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "breakeven"
LOCK = ROOT / "requirements-lambda.lock"
OUT = ROOT / "build" / "lambda"
ARCHITECTURES = {"x86_64": "x86_64", "arm64": "aarch64"}
"""Lambda's name -> the name in wheels."""
GLIBC = ("manylinux_2_28", "manylinux2014")
"""Lambda's python3.13 runs on Amazon Linux 2023, which has glibc 2.34 (docs.aws.amazon.com/lambda, lambda-runtimes)."""
ROOMS = ("catalogue", "documents", "function", "gateway", "logs")
"""What the function imports; a test runs the package with nothing else on the path."""
KEPT_DATA = {"catalogue.msgpack"}
LEFT_OUT = ("/tests/", "/include/")
KEPT_SERVICES = ("sso", "sso-oidc", "sts")
"""Of botocore's models only those that its search for credentials may need."""
WHEN = (2026, 1, 1, 0, 0, 0)
MOST_BYTES = 50 * 1024 * 1024
"""What Lambda takes as an upload (docs.aws.amazon.com/lambda, gettingstarted-limits)."""
WRAPPER = """\
#!/bin/sh
# AWS_LAMBDA_EXEC_WRAPPER: Lambda hands over the interpreter and what it would have run; our loop runs instead.
export PYTHONPATH="${LAMBDA_TASK_ROOT}${PYTHONPATH:+:$PYTHONPATH}"
exec "$1" -m breakeven.function
"""
HANDLER = '''"""The handler for functions without the wrapper: buffered, under AWS's own loop."""

from breakeven.function.buffered import handler as handler
'''


def main() -> None:
    """Build, print sizes and digests."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", default="3.13")
    parser.add_argument("--arch", choices=ARCHITECTURES, action="append")
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()
    for arch in asked.arch or ARCHITECTURES:
        path = build(arch, asked.python, asked.out)
        size = path.stat().st_size
        if size > MOST_BYTES:
            sys.exit(f"{path} has {size:,} bytes; Lambda takes {MOST_BYTES:,}")
        print(f"{path}  {size:,} bytes  sha256 {digest(path)}  built, not run on AWS")


def build(arch: str, python: str, out: Path) -> Path:
    """One zip."""
    out.mkdir(parents=True, exist_ok=True)
    made = out / f"gateway-python{python}-{arch}.zip"
    with tempfile.TemporaryDirectory() as folder:
        held = Path(folder)
        for wheel in sorted(_wheels(arch, python, held / "wheels")):
            with zipfile.ZipFile(wheel) as packed:
                packed.extractall(held / "task")
        _own_modules(held / "task")
        if python == f"{sys.version_info.major}.{sys.version_info.minor}":
            _compile(held / "task")
        else:
            print(f"Python {python} is not the one that runs this: modules are not compiled, and the start is slower")
        _write(held / "task", made)
    return made


def digest(path: Path) -> str:
    """The digest that is printed."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _wheels(arch: str, python: str, folder: Path) -> Iterator[Path]:
    """The locked wheels for that machine, each with the hash of the lock."""
    platforms = [part for glibc in GLIBC for part in ("--platform", f"{glibc}_{ARCHITECTURES[arch]}")]
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes", "-r", str(LOCK)]
    target = ["--only-binary", ":all:", "--python-version", python, "--dest", str(folder), *platforms]
    subprocess.run([*pip, *target], check=True)
    return folder.glob("*.whl")


def _own_modules(task: Path) -> None:
    """Breakeven's modules that the function needs, the wrapper and the handler."""
    for source in PACKAGE.rglob("*"):
        inside = source.relative_to(PACKAGE)
        room = inside.parts[0]
        if not source.is_file() or "__pycache__" in inside.parts or (len(inside.parts) > 1 and room not in ROOMS):
            continue
        if inside.parts[:2] == ("catalogue", "data") and source.name not in KEPT_DATA:
            continue
        target = task / "breakeven" / inside
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    (task / "bootstrap").write_text(WRAPPER, encoding="utf-8")
    (task / "bootstrap.py").write_text(HANDLER, encoding="utf-8")


def _compile(task: Path) -> None:
    """Modules compiled once here: a function may not write, and would compile them at each of its starts.

    Python takes them without a look at the source (PEP 552), whose time is the same in every package.
    """
    for path in sorted(task.rglob("*.py")):
        name = path.relative_to(task).as_posix()
        if _left_out(name):
            continue
        with contextlib.suppress(py_compile.PyCompileError):  # some packages carry a file of another Python
            py_compile.compile(
                str(path), dfile=name, doraise=True, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH
            )


def _write(task: Path, made: Path) -> None:
    """Sorted, with one time and one mode for all, so that nothing but the contents decides the bytes."""
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
        for path in sorted(task.rglob("*")):
            name = path.relative_to(task).as_posix()
            if path.is_dir() or _left_out(name):
                continue
            told = zipfile.ZipInfo(name, WHEN)
            told.create_system = 3
            told.compress_type = zipfile.ZIP_DEFLATED
            told.external_attr = (stat.S_IFREG | (0o755 if name == "bootstrap" else 0o644)) << 16
            packed.writestr(told, path.read_bytes(), compresslevel=9)


def _left_out(name: str) -> bool:
    parts = name.split("/")
    if any(piece in f"/{name}" for piece in LEFT_OUT):
        return True
    model = parts[:2] == ["botocore", "data"] and len(parts) > 3
    return model and parts[2] not in KEPT_SERVICES


if __name__ == "__main__":
    main()
