"""What the function serves: read from the variables that the template sets, and from a gateway.yaml in its package."""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from breakeven.errors import SpecError
from breakeven.gateway.books.database import is_postgres
from breakeven.gateway.config import GatewayFile, SageMakerEntry, Timeouts, UpstreamEntry, read_config
from breakeven.gateway.from_plan import OWN

ENDPOINT, COMPONENT, MODEL = "BREAKEVEN_ENDPOINT", "BREAKEVEN_COMPONENT", "BREAKEVEN_MODEL"
TIMEOUT, CONFIG = "BREAKEVEN_UPSTREAM_TIMEOUT_S", "BREAKEVEN_CONFIG"
ROOT, REGION = "LAMBDA_TASK_ROOT", "AWS_REGION"
RUNTIME_ADDRESS = "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME"
"""AWS's own variable for another address of the SageMaker runtime: a VPC endpoint, or a stand-in."""
LARGEST_EVENT_BYTES = 6_291_456
"""What a function is handed at most: 6 MB (docs.aws.amazon.com/lambda, quotas, read 2026-11-29)."""
LONGEST_S = 900.0


def file_of(environ: Mapping[str, str]) -> GatewayFile:
    """The configuration of a function with these variables.

    Raises:
        SpecError: if a variable is missing or wrong, or keys are asked for without a store that outlives the function.
    """
    named = environ.get(CONFIG, "").strip()
    stated = read_config(Path(environ.get(ROOT, ".")) / named) if named else None
    file = _with_endpoint(stated or GatewayFile(), environ)
    limits = msgspec.structs.replace(file.limits, body_bytes=min(file.limits.body_bytes, LARGEST_EVENT_BYTES))
    file = msgspec.structs.replace(file, limits=limits)
    if stated is None:
        return msgspec.structs.replace(file, books=msgspec.structs.replace(file.books, keys=False))
    _refuse_a_store_that_goes(file, environ)
    return file


def keeps_books(file: GatewayFile, environ: Mapping[str, str]) -> bool:
    """Whether there is a store to write to; without one a request's log line is its record."""
    return file.books.keys or is_postgres(file.books.place(environ))


def _with_endpoint(file: GatewayFile, environ: Mapping[str, str]) -> GatewayFile:
    """The file with the endpoint of the template as upstream ``own``, where the variables name one."""
    endpoint, model = environ.get(ENDPOINT, "").strip(), environ.get(MODEL, "").strip()
    if not endpoint:
        if file.models:
            return file
        raise SpecError(
            f"{ENDPOINT} is empty",
            expected="the name of a SageMaker endpoint",
            do=f"Set {ENDPOINT} and {MODEL}, or put a gateway.yaml into the package and name it in {CONFIG}",
        )
    if not model and not file.models:
        raise SpecError(f"{MODEL} is empty", expected="the model's name that callers use", do=f"Set {MODEL}")
    own = UpstreamEntry(
        kind="sagemaker",
        url=environ.get(RUNTIME_ADDRESS) or None,
        sagemaker=SageMakerEntry(
            endpoint=endpoint, region=environ.get(REGION) or None, component=environ.get(COMPONENT) or None
        ),
    )
    within = _timeout_s(environ)
    return msgspec.structs.replace(
        file,
        upstreams={OWN: own, **file.upstreams},
        models=file.models or {model: (OWN,)},
        timeouts=file.timeouts
        if file.timeouts != Timeouts()
        else Timeouts(first_token_s=within, answer_s=within, between_bytes_s=within),
        limits=msgspec.structs.replace(file.limits, request_s=min(file.limits.request_s, within)),
    )


def _timeout_s(environ: Mapping[str, str]) -> float:
    said = environ.get(TIMEOUT, "").strip()
    try:
        within = float(said or LONGEST_S)
    except ValueError:
        within = 0.0
    if not 0 < within <= LONGEST_S:
        raise SpecError(f"{TIMEOUT} is {said}", expected=f"seconds, {LONGEST_S:.0f} at most", do="Correct it")
    return within


def _refuse_a_store_that_goes(file: GatewayFile, environ: Mapping[str, str]) -> None:
    if file.books.keys and not is_postgres(file.books.place(environ)):
        raise SpecError(
            "keys and budgets are asked for, and the store is a file, which goes with each copy of the function",
            expected="a store in PostgreSQL, whose address an environment variable holds",
            do="Set books.store_env to the name of that variable, or books.keys to false",
        )
