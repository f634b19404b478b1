"""The function's package: the same bytes twice, no more than it needs, and whole: it runs with nothing of this tree."""

import hashlib
import shutil
import sys
import zipfile
from pathlib import Path

import pytest
from tests.function.running import event, invoke, parted

import build_lambda

ROOT = Path(build_lambda.__file__).parents[1]


@pytest.fixture
def made(tmp_path):
    """A package of our own modules, without the wheels: those come from a package index."""

    def make(name):
        task = tmp_path / name
        build_lambda._own_modules(task)
        build_lambda._compile(task)
        (task / "botocore" / "data" / "s3" / "2006").mkdir(parents=True)
        (task / "botocore" / "data" / "s3" / "2006" / "service-2.json.gz").write_bytes(b"x")
        (task / "botocore" / "data" / "partitions.json").write_bytes(b"{}")
        path = tmp_path / f"{name}.zip"
        build_lambda._write(task, path)
        return path

    return make


def test_the_same_sources_give_the_same_bytes(made):
    first, second = made("first"), made("second")
    assert build_lambda.digest(first) == build_lambda.digest(second) == hashlib.sha256(first.read_bytes()).hexdigest()


def test_it_holds_what_the_function_needs_and_nothing_of_the_planner(made):
    with zipfile.ZipFile(made("one")) as packed:
        names = packed.namelist()
        modes = {told.filename: told.external_attr >> 16 & 0o777 for told in packed.infolist()}
    assert names == sorted(names)
    assert {modes["bootstrap"], modes["bootstrap.py"]} == {0o755, 0o644}
    assert "breakeven/catalogue/data/catalogue.msgpack" in names
    assert any(name.startswith("breakeven/function/__pycache__/streamed.cpython-") for name in names)
    rooms = {name.split("/")[1] for name in names if name.startswith("breakeven/") and name.count("/") > 1}
    assert rooms - {"__pycache__"} == set(build_lambda.ROOMS)
    assert "botocore/data/partitions.json" in names
    assert not any("/s3/" in name or (name.endswith(".csv") and "catalogue" in name) for name in names)


@pytest.mark.parametrize("kind", ["streamed", "buffered"])
def test_the_wrapper_and_the_handler_start_from_the_package_alone(made, tmp_path, kind):
    task = tmp_path / "unpacked"
    with zipfile.ZipFile(made("one")) as packed:
        packed.extractall(task)
    (task / "bootstrap").chmod(0o755)
    for left_over in (task / "botocore").rglob("*"):
        if left_over.is_file():
            left_over.unlink()
    shutil.rmtree(task / "botocore")  # the real one lies beside us
    if kind == "streamed":
        how = {"command": (str(task / "bootstrap"), sys.executable, "runtime.py")}
    else:
        how = {"command": (sys.executable, "-m", "awslambdaric", "bootstrap.handler")}
    ((body, done),) = invoke(event(), variables={"LAMBDA_TASK_ROOT": str(task), "PYTHONPATH": str(task)}, **how)
    assert done.kind is None
    assert b'"m"' in (parted(body)[1] if kind == "streamed" else body.replace(b"\\", b""))


def test_the_lock_pins_every_direct_package_with_hashes():
    lines = build_lambda.LOCK.read_text().splitlines()
    pinned = {line.split("==")[0] for line in lines if "==" in line}
    wanted = (ROOT / "requirements-lambda.in").read_text().splitlines()
    direct = {line.split("[")[0].split("<")[0] for line in wanted if line and not line.startswith("#")}
    assert direct <= pinned
    assert sum("--hash=sha256:" in line for line in lines) >= len(pinned)
