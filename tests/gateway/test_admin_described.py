"""The admin API does what its own description says, whatever schemathesis sends it."""

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from starlette.applications import Starlette

from breakeven.gateway.accounts import Accounts
from breakeven.gateway.admin import OPERATIONS, PREFIX, admin
from breakeven.gateway.books.books import Books

schemathesis = pytest.importorskip("schemathesis")
from schemathesis import GenerationMode  # noqa: E402 - after the check that it is there
from schemathesis.errors import SchemathesisError  # noqa: E402

TOKEN = "a long random token"
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def described(tmp_path_factory):
    books = Books(Accounts(store=str(tmp_path_factory.mktemp("books") / "gateway.db"))).begin()
    app = Starlette(routes=[admin(books, TOKEN)])
    yield schemathesis.openapi.from_asgi("/admin/openapi.json", app, headers={"Authorization": f"Bearer {TOKEN}"})
    books.end()


def test_the_description_names_every_operation(described):
    found = [result.ok() for result in described.get_all_operations()]
    assert {(one.method.upper(), one.path) for one in found} == {(one.method, PREFIX + one.path) for one in OPERATIONS}


@pytest.mark.parametrize("mode", list(GenerationMode))
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.name)
def test_an_operation_keeps_its_description_whatever_it_is_sent(described, operation, mode):
    """Good input is taken, bad input is refused with 4xx, and every answer has the shape that is described."""
    found = described[PREFIX + operation.path][operation.method]

    @settings(max_examples=30, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(case=found.as_strategy(generation_mode=mode))
    def keeps(case):
        case.call_and_validate(headers={"Authorization": f"Bearer {TOKEN}"})

    try:
        keeps()
    except (Unsatisfiable, SchemathesisError):
        assert mode is GenerationMode.NEGATIVE
        assert not (operation.takes or operation.query), "only an operation that takes nothing can take nothing bad"
