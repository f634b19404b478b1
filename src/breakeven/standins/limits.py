"""The limits of AWS's services that the stand-ins keep, each with the page that states it (read 2026-11-29)."""

import msgspec

KIB, MIB = 1024, 1024 * 1024


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """As AWS has them; tests make some smaller.

    Attributes:
        http_s: Longest integration of an HTTP API (http-api-quotas).
        rest_s: Longest integration of a REST API that does not stream (api-gateway-execution-service-limits-table).
        stream_s: Longest streamed answer of a REST API (response-transfer-mode).
        idle_s: Longest silence in one, Regional (response-transfer-mode).
        gateway_bytes: Payload of either API (http-api-quotas, api-gateway-execution-service-limits-table).
        header_bytes: Request line and header values together (the same pages).
        prelude_bytes: Within how many bytes status and headers must end (response-transfer-mode-lambda).
        function_bytes: Event and buffered answer of a function: 6 MB, of which Lambda's own refusals say 6,291,556
            (lambda, gettingstarted-limits).
        streamed_bytes: A streamed answer of a function (lambda, configuration-response-streaming).
        function_s: Longest run of a function (lambda, gettingstarted-limits).
        init_s: Longest start of one (lambda, lambda-runtime-environment).
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
