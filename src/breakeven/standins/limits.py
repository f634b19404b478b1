"""The limits of AWS's services that the stand-ins keep, each with the page that states it (read 2026-11-29).

Pages of docs.aws.amazon.com are named by their last part. Two things stand on none: 6,291,556 bytes is what users of
Lambda report of its refusals; and the stand-ins count the request line with the headers of a REST API too, which AWS
states of HTTP APIs alone.
"""

import msgspec

KIB, MIB = 1024, 1024 * 1024


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """As AWS has them; tests make some smaller.

    Attributes:
        http_s: Longest integration of an HTTP API (http-api-quotas; not to be raised).
        rest_s: Longest integration of a REST API that does not stream (api-gateway-execution-service-limits-table; to
            be raised for Regional APIs).
        stream_s: Longest streamed answer of a REST API (response-transfer-mode).
        idle_s: Longest silence in one, Regional (response-transfer-mode; 30 s for edge-optimized ones).
        gateway_bytes: Payload of either API (http-api-quotas, api-gateway-execution-service-limits-table).
        header_bytes: Request line and header values together (http-api-quotas); of a REST API headers alone, beside
            as many characters of its URL (api-gateway-execution-service-limits-table).
        prelude_bytes: Within how many bytes status and headers must end (response-transfer-mode-lambda).
        function_bytes: Event and buffered answer of a function: 6 MB (lambda, gettingstarted-limits). Lambda's refusals
            name 6,291,556 bytes, a hundred more (users: github.com/DataBiosphere/azul, issue 8258 of 2026-08-26).
        streamed_bytes: A streamed answer of a function (lambda, configuration-response-streaming).
        function_s: Longest run of a function (lambda, gettingstarted-limits).
        init_s: Longest start of one; after it the start is tried again within the request, and within its time (lambda,
            lambda-runtime-environment).
        container_s: In which a container must answer InvokeEndpoint (API_runtime_InvokeEndpoint).
        invoke_bytes: Body of InvokeEndpoint (botocore 1.44, sagemaker-runtime).
    """

    http_s: float = 30.0
    rest_s: float = 29.0
    stream_s: float = 900.0
    idle_s: float = 300.0
    gateway_bytes: int = 10 * MIB
    header_bytes: int = 10_240
    prelude_bytes: int = 16 * KIB
    function_bytes: int = 6_291_556
    streamed_bytes: int = 200 * MIB
    function_s: float = 900.0
    init_s: float = 10.0
    container_s: float = 60.0
    invoke_bytes: int = 6 * MIB
