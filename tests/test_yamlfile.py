import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from breakeven.catalogue.overlay import Overlay
from breakeven.errors import BreakevenError, SpecError
from breakeven.fields import said
from breakeven.workload.spec import Spec
from breakeven.yamlfile import LARGEST_FILE_BYTES, read_yaml

EXAMPLES = Path(__file__).parent.parent / "examples"


class Wheel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A small thing with one rule of its own."""

    size: float
    kind: Literal["front", "rear"] = "front"

    def __post_init__(self) -> None:
        if self.size < 0:
            raise SpecError(f"wheel.size is {self.size:g}", expected="0 or more", do="Measure it")


class Bike(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A field of every kind."""

    name: str = ""
    built: date | None = None
    usd: Decimal | None = None
    gears: Annotated[int, said("how many")] = 1
    sold: bool = False
    wheels: Annotated[list[Wheel] | None, said("front and rear")] = None
    spare: dict[str, Wheel] = {}
    marks: dict[str, float] = {}
    route: str | list[float] | None = None


def bikes(path: Path) -> tuple[Bike, ...]:
    return read_yaml(path, Bike)


def read(tmp_path: Path, text: str) -> tuple[Bike, ...]:
    path = tmp_path / "bike.yaml"
    path.write_text(text, encoding="utf-8")
    return bikes(path)


def test_a_file_becomes_typed_objects(tmp_path):
    (bike,) = read(tmp_path, "name: é\nbuilt: 2023-04-24\nusd: 0.10\nwheels: [{size: 28}, {size: 26, kind: rear}]\n")
    assert bike.built == date(2023, 4, 24)
    assert bike.usd == Decimal("0.1")
    assert bike.wheels == [Wheel(size=28), Wheel(size=26, kind="rear")]


@pytest.mark.parametrize("text", ["name: a\n---\nname: b\n", "---\n---\nname: a\n---\n# nothing\n---\nname: b\n...\n"])
def test_several_documents_are_parted_by_dashes_and_empty_ones_are_passed_over(tmp_path, text):
    assert [bike.name for bike in read(tmp_path, text)] == ["a", "b"]


def test_numbers_may_be_written_as_people_write_them(tmp_path):
    (bike,) = read(tmp_path, "marks: {a: 1e6, b: '2.5', c: 3, d: 1_000}\n")
    assert bike.marks == {"a": 1e6, "b": 2.5, "c": 3.0, "d": 1000.0}


@pytest.mark.parametrize(
    ("text", "name"),
    [("2023-13-45", "2023-13-45"), ("!!int many", "many"), ("!!int", ""), ("!!timestamp x", "x"), ("!!bool x", "x")],
)
def test_text_that_is_not_what_it_looks_like_stays_text(tmp_path, text, name):
    assert read(tmp_path, f"name: {text}\n")[0].name == name


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_byte_order_mark_does_no_harm(tmp_path, encoding):
    path = tmp_path / "bike.yaml"
    path.write_text("name: Zoë\r\ngears: 3\r\n", encoding=encoding)
    assert bikes(path) == (Bike(name="Zoë", gears=3),)


SLIPS = {
    "a number that is text": ("gears: 1\nmarks:\n  a: many\n", "line 3, marks.a: this is the text 'many'", "a number"),
    "a whole number with a part": ("gears: 1.5\n", "line 1, gears: this is 1.5", "a whole number"),
    "text that is a number": ("\nname: 5\n", "line 2, name: this is 5", "text"),
    "truth that is text": ("sold: maybe\n", "line 1, sold: this is the text 'maybe'", "true or false"),
    "a number that is truth": ("gears: true\n", "line 1, gears: this is true", "a whole number"),
    "a day that there is not": ("built: 2023-13-45\n", "line 1, built: this is the text '2023-13-45'", "a date like"),
    "a day in words": ("built: yesterday\n", "line 1, built: this is the text 'yesterday'", "a date like 2026-11-24"),
    "money that is text": ("usd: cheap\n", "line 1, usd: this is the text 'cheap'", "a number"),
    "a list that is not": ("wheels: {size: 1}\n", "line 1, wheels: this is fields", "a list"),
    "one of two kinds": ("route: {a: 1}\n", "line 1, route: this is fields", "text or a list"),
    "a list of something else": ("route: [1,\n  x]\n", "line 2, route.1: this is the text 'x'", "a number"),
    "nothing": ("name:\n", "line 1, name: this is empty", "text"),
    "fields that are a list": ("- name: a\n", "line 1, the document: this is a list", "fields"),
    "a choice": (
        "wheels:\n- size: 1\n  kind: raer\n",
        "line 3, wheels.0.kind: this is the text 'raer'",
        "front or rear",
    ),
    "a missing field": (
        "wheels:\n- {size: 1}\n- {kind: rear}\n",
        "line 3, wheels.1: the field size is missing",
        "size",
    ),
    "an unknown field": ("name: a\ngaers: 3\n", "line 2, gaers: there is no such field", "one of name, built, usd"),
    "an unknown field deep down": (
        "wheels:\n- size: 1\n  knid: x\n",
        "line 3, wheels.0.knid: there is no",
        "size, kind",
    ),
    "a rule of our own": (
        "wheels:\n- size: 1\n- kind: rear\n  size: -2\n",
        "line 4, wheels.1.size: this is -2",
        "0 or",
    ),
    "a rule of our own, by name": (
        "spare:\n  a: {size: 1}\n  b: {size: -2}\n",
        "line 3, spare.b.size: this is -2",
        "0",
    ),
    "the second of two names": (
        "spare:\n  a: {size: 1}\n  b: {size: x}\n",
        "line 3, spare.b.size: this is the te",
        "a n",
    ),
    "a name that is a number": ("marks:\n  1: 2\n", "line 1, marks: the name 1 is not text", "a name that is text"),
    "a field given twice": ("gears: 1\nname: a\ngears: 2\n", "line 3: gears is given twice, first in line 1", "each"),
    "twice, deep down": (
        "wheels:\n- size: 1\n  size: 2\n",
        "line 3: size is given twice, first in line 2",
        "each field",
    ),
    "the second document": (
        "name: a\n---\nname: b\ngears: x\n",
        "line 4, gears: this is the text 'x'",
        "a whole number",
    ),
    "no YAML": ("name: a\n  gears: 3\n", "line 2, column 8 is not YAML", "indented by spaces"),
    "a tab": ("wheels:\n\t- size: 1\n", "line 2, column 1 is not YAML", "indented by spaces"),
    "an open bracket": ("wheels: [1, 2\n", "line 2, column 1 is not YAML", "`field: value` lines"),
    "an order to run code": (
        "name: !!python/object/apply:os.getcwd []\n",
        "line 1, column 7 is not YAML",
        "`field: value`",
    ),
    "a control character": (
        "name: a\x07\n",
        "slip.yaml is not YAML: control characters are not allowed",
        "`field: value`",
    ),
    "too deep": ("name: " + "[" * 5000, "is not YAML: exceeded maximum nesting depth", "`field: value`"),
    "a thing that holds itself": ("name: &a [*a]\n", "line 1, name: this is a list", "text"),
    "an empty file": ("# nothing\n", "slip.yaml is empty", "a YAML document"),
    "a long text": (f"gears: {'x' * 500}\n", f"gears: this is the text '{'x' * 40}...'", "a whole number"),
    "a number beyond all": (f"marks: {{a: 1{'0' * 400}}}\n", "line 1, marks.a: this is 1000", "a number"),
}


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_is_told_with_line_field_and_what_was_expected(refused, slip):
    text, given_, expected = SLIPS[slip]
    told = refused(text, bikes)
    assert told.startswith("slip.yaml")
    assert given_ in told.split("Expected: ")[0]
    assert expected in told.split("Expected: ")[1]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("gaers: 3\n", "gears"),
        ("wheels: [{size: 1, knid: rear}]\n", "kind"),
        ("wheels: [{size: 1, kind: raer}]\n", "rear"),
    ],
)
def test_what_looks_like_the_slip_is_named(refused, text, meant):
    assert refused(text, bikes).endswith(f"Did you mean: {meant}?")


def test_a_merge_of_fields_is_no_field_given_twice(tmp_path):
    text = "wheels:\n- &w {size: 1, kind: rear}\n- {<<: *w, size: 2}\n"
    assert read(tmp_path, text)[0].wheels == [Wheel(size=1, kind="rear"), Wheel(size=2, kind="rear")]


def test_a_file_that_is_not_there_is_told_with_those_beside_it(tmp_path):
    (tmp_path / "workload.yaml").touch()
    with pytest.raises(SpecError, match=r"there is no file .*worklaod\.yaml.*Did you mean: workload\.yaml\?$"):
        bikes(tmp_path / "worklaod.yaml")


@pytest.mark.parametrize("name", ["nowhere/a.yaml", "x" * 300, "a\0b"])
def test_a_path_that_cannot_be_is_one_message(tmp_path, name):
    with pytest.raises(SpecError, match="Check the path"):
        bikes(tmp_path / name)


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(SpecError, match="is a folder"):
        bikes(tmp_path)


def test_a_file_in_another_encoding_is_told(tmp_path):
    path = tmp_path / "latin.yaml"
    path.write_bytes("name: Zoë".encode("latin-1"))
    with pytest.raises(SpecError, match=r"latin\.yaml cannot be read: .*Save it as UTF-8\."):
        bikes(path)


def test_a_log_is_not_read_as_a_spec(tmp_path):
    path = tmp_path / "log.yaml"
    with path.open("wb") as file:
        file.truncate(LARGEST_FILE_BYTES + 1)
    with pytest.raises(SpecError, match=r"10,000,001 bytes\. Expected: at most 10,000,000"):
        bikes(path)


def names(kind: type) -> Iterator[str]:
    """Every field name at any depth of a structure."""
    for match in re.finditer(r"encode_name='(\w+)'", repr(msgspec.inspect.type_info(kind))):
        yield match[1]


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.dates()
    | st.text(max_size=8)
    | st.sampled_from(["generate", "flat", "2023-04-24", "1e6", "NaN", "sNaN", "-1", "*", "H100-SXM"])
)
FIELDS = st.sampled_from(sorted({*names(Spec), *names(Overlay)}))
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(FIELDS, inner, max_size=4)
        | st.dictionaries(SCALARS, inner, max_size=2)
    ),
    max_leaves=12,
)
WORDS = st.lists(
    FIELDS
    | st.sampled_from([": ", "\n", "  ", "- ", "---\n", "[", "]", "{", "}", ",", "&a ", "*a", "!!int ", "!!float "])
    | st.sampled_from(
        ["!!timestamp ", "!!bool ", "!!set ", "!!omap ", "? ", "| ", "<<: ", "'", '"', "%YAML 1.1\n", "0x", "1:2"]
    )
    | st.text(max_size=4),
    max_size=25,
).map("".join)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz") / "fuzz.yaml"


def survives(path: Path, text: str, kind: type) -> None:
    """The text is read, or refused by one message of ours; nothing else comes out."""
    path.write_bytes(text.encode("utf-8", errors="surrogatepass"))
    try:
        specs = read_yaml(path, kind)
    except SpecError as wrong:
        assert str(path) in str(wrong)
        return
    assert all(isinstance(spec, kind) for spec in specs)
    for spec in specs:
        if isinstance(spec, Spec):
            try:
                spec.policy()
                spec.workload({"week": [1.0] * 168})
            except BreakevenError:
                pass


@pytest.mark.parametrize("kind", [Spec, Overlay])
def test_any_text_is_read_or_refused_by_our_own_message(scratch, kind):
    @given(st.text() | WORDS)
    def holds(text):
        survives(scratch, text, kind)

    holds()


@pytest.mark.parametrize("kind", [Spec, Overlay])
def test_any_structure_is_read_or_refused_by_our_own_message(scratch, kind):
    @given(st.dictionaries(FIELDS, VALUES, max_size=5))
    def holds(value):
        survives(scratch, yaml.safe_dump(value, allow_unicode=True), kind)

    holds()


def leaves(value: object, way: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The way to each scalar and each branch."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, child in inner:
        yield (*way, step)
        yield from leaves(child, (*way, step))


def put(value: object, way: tuple[str | int, ...], new: object) -> object:
    """The same structure with another value at the end of a way."""
    if not way:
        return new
    if isinstance(value, dict):
        return {key: put(child, way[1:], new) if key == way[0] else child for key, child in value.items()}
    return [put(child, way[1:], new) if place == way[0] else child for place, child in enumerate(value)]


@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_an_example_with_one_value_changed_is_read_or_refused_by_our_own_message(scratch, example):
    documents = list(yaml.safe_load_all(example.read_text(encoding="utf-8")))
    kind = Overlay if example.stem.endswith(".overlay") else Spec

    @settings(max_examples=40)
    @given(st.data())
    def holds(data):
        document = data.draw(st.sampled_from(documents))
        changed = put(document, data.draw(st.sampled_from(list(leaves(document)))), data.draw(VALUES))
        survives(scratch, yaml.safe_dump(changed, allow_unicode=True), kind)

    holds()
