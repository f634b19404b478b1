"""The handler for APIs that do not stream: events to ASGI and back through mangum, under AWS's own loop.

``breakeven.function.buffered.handler`` is made when awslambdaric looks it up, so what is wrong with the variables is an
error of the function's start.
"""

import os
from collections.abc import Callable
from functools import cache
from typing import Any

from mangum import Mangum

from breakeven.function.application import Application

Handler = Callable[[dict[str, Any], Any], dict[str, Any]]


@cache
def begin() -> Handler:
    """The handler of this process.

    Raises:
        SpecError: if the variables, the gateway.yaml or the store are not right.
    """
    application = Application(os.environ)
    adapter = Mangum(application.gateway, lifespan="off")  # the application lives longer than one request

    def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401 - awslambdaric's own
        """Answer one event of an HTTP API, a REST API or a function URL."""
        try:
            return adapter(event, context)
        finally:
            application.settle()

    return handler


def __getattr__(name: str) -> Handler:
    if name == "handler":
        return begin()
    raise AttributeError(name)
