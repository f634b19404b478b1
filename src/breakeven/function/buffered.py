"""The handler for APIs that do not stream: events to ASGI and back through mangum, under AWS's own loop.

awslambdaric imports this module, so what is wrong with the variables is an error of the function's start.
"""

import os
from typing import Any

from mangum import Mangum

from breakeven.function.application import Application

APPLICATION = Application(os.environ)
_ADAPTER = Mangum(APPLICATION.gateway, lifespan="off")  # the application lives longer than one request


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401 - awslambdaric's own
    """Answer one event of an HTTP API, a REST API or a function URL."""
    try:
        return _ADAPTER(event, context)
    finally:
        APPLICATION.settle()
