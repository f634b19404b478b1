"""The pages say what the code does: they are built from it, and the commands on them run."""

import importlib.util
import re
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def build_docs():
    spec = importlib.util.spec_from_file_location("build_docs", ROOT / "tools" / "build_docs.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def built(build_docs):
    return build_docs.pages()


def test_every_generated_page_is_what_the_code_gives(built):
    stale = [name for name, content in built.items() if (ROOT / name).read_text(encoding="utf-8") != content]
    assert stale == [], "run `make docs`"


def test_every_module_has_its_sentence_in_the_architecture(built):
    told = built["ARCHITECTURE.md"]
    package = ROOT / "src" / "breakeven"
    for path in package.rglob("*.py"):
        row = re.search(rf"^\| `{re.escape(str(path.relative_to(package)))}` \| (.+) \|$", told, re.MULTILINE)
        assert row, path
        assert len(row[1]) > 10, path


def test_every_dependency_has_its_reason_in_the_architecture():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    told = (ROOT / "ARCHITECTURE.md").read_text().lower()
    extras = [name for group in project["optional-dependencies"].values() for name in group]
    for requirement in [*project["dependencies"], *extras]:
        name = re.match(r"[A-Za-z0-9_-]+", requirement)[0]
        if name not in {"breakeven"} and not name.startswith("types-"):
            assert name.lower() in told, requirement


def test_every_command_has_its_section_and_every_option_its_words(built):
    page = built["docs/reference/commands.md"]
    assert "## `breakeven compare`" in page
    assert "## `breakeven catalogue show`" in page
    rows = [row for row in page.splitlines() if row.startswith("| `--")]
    assert rows
    assert all(len(row.split("|")[2].strip()) > 5 for row in rows), "an option without help"


def test_every_field_of_the_spec_is_explained(built):
    for page in ("docs/reference/spec.md", "docs/reference/overlay.md"):
        for row in built[page].splitlines():
            if row.startswith("| `"):
                assert row.count("|") >= 5, row


def test_the_output_shown_in_the_docs_is_no_error(built):
    for name, content in built.items():
        for info, block in re.findall(r"```console([^\n]*)\n\$ breakeven [^\n]*\n(.*?)```", content, re.DOTALL):
            assert block.startswith("breakeven:") == ("refused" in info), name
            assert "Traceback" not in block, name
            assert block.strip(), name


def test_commands_in_the_docs_name_their_day_so_that_they_print_the_same_tomorrow():
    for path in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        for command in re.findall(r"```console[^\n]*\n\$ (breakeven compare [^\n]*)", path.read_text()):
            dated = "--as-of" in command or "article-2023" in command
            assert dated, f"{path.name}: {command}"


def test_links_between_the_pages_lead_somewhere():
    for path in [
        ROOT / "README.md",
        ROOT / "ARCHITECTURE.md",
        ROOT / "CONTRIBUTING.md",
        *(ROOT / "docs").rglob("*.md"),
    ]:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", path.read_text()):
            assert (path.parent / target).exists(), f"{path.name}: {target}"


def test_the_picture_in_the_readme_asks_no_other_host_for_anything(built):
    svg = built["docs/images/compare.svg"]
    assert "url(http" not in svg
    assert "@import" not in svg
    assert not re.search(r'(href|src)="https?:', svg)
