"""A SageMaker endpoint as an upstream: invoked through the AWS API, streamed or not, or by its OpenAI path."""

from collections.abc import AsyncIterator, Callable, Mapping
from types import MappingProxyType
from typing import Any, Literal, Protocol
from urllib.parse import quote

import msgspec

from breakeven.gateway.aws import Address, Signer, load
from breakeven.gateway.upstream import Call, Reply, UpstreamError

Door = Literal["invoke", "openai"]
Headers = tuple[tuple[str, str], ...]

LARGEST_BODY_BYTES = 6_291_456  # the service model of InvokeEndpoint; a test holds it to botocore's
LONGEST_ANSWER_S = 60.0  # a container must answer InvokeEndpoint within it
LONGEST_QUOTE = 2000
CHAT = "/v1/chat/completions"
JSON: Headers = (("content-type", "application/json"),)
SECRET = "the message is not repeated, because it may quote the request"

# What SageMaker calls an error -> the status that the caller gets. 424 (ModelError) carries the container's own.
STATUS_OF: Mapping[str, int] = MappingProxyType(
    {
        "ThrottlingException": 429,
        "ModelNotReadyException": 503,
        "ServiceUnavailable": 503,
        "InternalFailure": 500,
        "InternalDependencyException": 502,
    }
)
# Errors that asking again cannot mend: who runs the gateway must.
OURS_TO_MEND: Mapping[str, str] = MappingProxyType(
    {
        "ValidationError": "is there an endpoint (and component, variant) of that name in this region and account?",
        "ValidationException": "is there an endpoint (and component, variant) of that name in this region and account?",
        "AccessDeniedException": "the credentials may not call it: sagemaker:InvokeEndpoint, and for the OpenAI path "
        "sagemaker:CallWithBearerToken",
        "UnrecognizedClientException": "AWS does not know these credentials",
        "InvalidSignatureException": "AWS does not accept the signature: is the clock right?",
        "ExpiredTokenException": "the credentials have expired",
        "ExpiredToken": "the credentials have expired",
        "IncompleteSignature": "AWS does not accept the signature",
        "MissingAuthenticationTokenException": "the request was not signed",
    }
)


class Transport(Protocol):
    """The one thing asked of an HTTP client."""

    async def post(self, url: str, headers: Mapping[str, str], call: Call) -> Reply:
        """Send ``call.body``; returns with status and headers. Raises ``UpstreamError``."""
        ...

    async def close(self) -> None:
        """Close connections that are kept open."""
        ...


class Whole:
    """A reply that is all there."""

    def __init__(self, status: int, headers: Headers, body: bytes) -> None:
        self.status = status
        self.headers = headers
        self._body = body

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body, at once."""
        yield self._body

    async def close(self) -> None:
        """Nothing is left to stop."""


def _told(status: int, code: str, message: str) -> Whole:
    """An error in OpenAI's shape."""
    kind = "rate_limit_error" if status == 429 else "server_error" if status >= 500 else "invalid_request_error"
    error = {"message": message, "type": kind, "param": None, "code": code}
    return Whole(status, JSON, msgspec.json.encode({"error": error}))


class SageMaker:
    """One endpoint. ``door``: ``invoke`` works with every container; ``openai`` needs no event stream."""

    def __init__(
        self, name: str, address: Address, connected: Callable[[str], Transport], *, door: Door = "invoke"
    ) -> None:
        """``connected``: an HTTP client for a base URL."""
        self.name = name
        self._address = address
        self._door = door
        self._signer = Signer(address)
        self._transport = connected(self._signer.base_url)
        self._buffer_of = load("botocore.eventstream").EventStreamBuffer
        self._broken = load("botocore.eventstream").ParserError

    async def send(self, call: Call) -> Reply:
        """Ask the endpoint; the reply looks like one of the container itself."""
        if self._door == "openai":
            return await self._send_openai(call)
        if len(call.body) > LARGEST_BODY_BYTES:
            return _told(
                413,
                "request_too_large",
                f"The request has {len(call.body):,} bytes; a SageMaker endpoint takes {LARGEST_BODY_BYTES:,} at most. "
                "Shorten it, or send images and documents by address.",
            )
        url = f"{self._signer.base_url}/endpoints/{quote(self._address.endpoint, safe='')}/invocations"
        if call.streamed:
            url += "-response-stream"
        capped = msgspec.structs.replace(call, first_byte_s=min(call.first_byte_s, LONGEST_ANSWER_S))
        headers = await self._signer.sign(url, call.body, self._invocation_headers(streamed=call.streamed))
        reply = await self._post(url, headers, capped)
        if reply.status != 200:
            return await self._explained(reply)
        return await self._opened(reply) if call.streamed else reply

    def _invocation_headers(self, *, streamed: bool) -> dict[str, str]:
        accept = "X-Amzn-SageMaker-Accept" if streamed else "Accept"
        headers = {"Content-Type": "application/json", accept: "text/event-stream" if streamed else "application/json"}
        if self._address.component:
            headers["X-Amzn-SageMaker-Inference-Component"] = self._address.component
        if self._address.variant:
            headers["X-Amzn-SageMaker-Target-Variant"] = self._address.variant
        return headers

    async def _send_openai(self, call: Call) -> Reply:
        if call.path != CHAT:
            return _told(404, "unknown_url", f"SageMaker's OpenAI path offers {CHAT} only, not {call.path}.")
        url = f"{self._signer.base_url}/endpoints/{quote(self._address.endpoint, safe='')}"
        if self._address.component:
            url += f"/inference-components/{quote(self._address.component, safe='')}"
        headers = {**dict(call.headers), "content-type": "application/json"}
        headers["authorization"] = f"Bearer {await self._signer.token()}"
        reply = await self._post(f"{url}/openai{call.path}", headers, call)
        return reply if reply.status == 200 or not _error_type(reply) else await self._explained(reply)

    async def _post(self, url: str, headers: Mapping[str, str], call: Call) -> Reply:
        try:
            return await self._transport.post(url, {**headers, "accept-encoding": "identity"}, call)
        except UpstreamError as wrong:
            if wrong.failure == "timeout" and self._door == "invoke" and not call.streamed:
                why = f"{wrong.because}; SageMaker gives a container {LONGEST_ANSWER_S:.0f} s for an answer that is "
                raise UpstreamError("timeout", f"{why}not streamed") from wrong
            raise

    async def _explained(self, reply: Reply) -> Reply:
        """AWS's error as what it means to a caller of an OpenAI API."""
        body = b"".join([part async for part in reply.chunks()])
        await reply.close()
        kind = _error_type(reply) or _typed_in(body)
        if kind in OURS_TO_MEND:
            raise UpstreamError("misconfigured", f"SageMaker says {kind}: {OURS_TO_MEND[kind]} ({SECRET})")
        if kind == "ModelError" or (not kind and reply.status == 424):
            return _from_container(body)
        status = STATUS_OF.get(kind, reply.status if 400 <= reply.status <= 504 else 502)
        told = _told(status, kind or "upstream_error", f"SageMaker answered {reply.status} {kind}".strip() + ".")
        wait = tuple(header for header in reply.headers if header[0].lower() == "retry-after")
        told.headers += wait
        return told

    async def _opened(self, reply: Reply) -> Reply:
        """The event stream up to its first payload, so that what fails before it may still be asked elsewhere."""
        events = _Events(reply, self._buffer_of(), self._broken)
        try:
            await events.begin()
        except BaseException:  # also where the caller hangs up meanwhile
            await reply.close()
            raise
        return events

    async def close(self) -> None:
        """Close what the transport keeps open."""
        await self._transport.close()


class _Events:
    """The payload of an AWS event stream: the bytes that the container sent, cut wherever AWS cut them."""

    status = 200

    def __init__(self, reply: Reply, buffer: Any, broken: type[Exception]) -> None:  # noqa: ANN401 - botocore's
        kind = next((value for name, value in reply.headers if name.lower() == "x-amzn-sagemaker-content-type"), None)
        self.headers: Headers = (("content-type", kind or "text/event-stream"),)
        self._reply = reply
        self._buffer = buffer
        self._broken = broken
        self._payloads = self._decoded()
        self._first: bytes | None = None

    async def begin(self) -> None:
        """Read up to the first payload."""
        self._first = await anext(self._payloads, None)

    async def chunks(self) -> AsyncIterator[bytes]:
        """The payloads in order."""
        if self._first is not None:
            yield self._first
            async for payload in self._payloads:
                yield payload

    async def close(self) -> None:
        """Hang up on the endpoint."""
        await self._reply.close()

    async def _decoded(self) -> AsyncIterator[bytes]:
        unread = 0
        async for chunk in self._reply.chunks():
            unread += len(chunk)
            self._buffer.add_data(bytes(chunk))
            try:
                for event in self._buffer:
                    unread -= event.prelude.total_length
                    if payload := _payload(event.headers, event.payload):
                        yield payload
            except self._broken as wrong:
                raise UpstreamError("garbled", f"the event stream is damaged: {type(wrong).__name__}") from wrong
        if unread:
            raise UpstreamError("cut", "the event stream ended within an event")


def _payload(headers: Mapping[str, Any], payload: bytes) -> bytes:
    """The bytes of one event; raises where the event is the end of the answer."""
    if headers.get(":message-type") == "event":
        return payload if headers.get(":event-type") == "PayloadPart" else b""
    kind = headers.get(":exception-type") or headers.get(":error-code") or "an unnamed error"
    raise UpstreamError("cut", f"SageMaker ended the stream: {kind} ({SECRET})")


def _error_type(reply: Reply) -> str:
    """``ThrottlingException`` of ``ThrottlingException:http://...``; empty where AWS named none."""
    named = next((value for name, value in reply.headers if name.lower() == "x-amzn-errortype"), "")
    return named.partition(":")[0].rpartition("#")[2]


def _typed_in(body: bytes) -> str:
    """The type that some AWS front ends put into the body instead."""
    try:
        told = msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.DecodeError:
        return ""
    kind = told.get("__type") or told.get("code") or ""
    return kind.rpartition("#")[2] if isinstance(kind, str) else ""


class _ModelError(msgspec.Struct, frozen=True):
    """What SageMaker says where the container answered with an error."""

    OriginalStatusCode: int = 502
    OriginalMessage: str = ""


def _from_container(body: bytes) -> Whole:
    """The container's own error: its status, and its body where that is an error in OpenAI's shape."""
    try:
        wrong = msgspec.json.decode(body, type=_ModelError)
    except msgspec.DecodeError:
        wrong = _ModelError()
    status = wrong.OriginalStatusCode if 400 <= wrong.OriginalStatusCode <= 599 else 502
    said = wrong.OriginalMessage.encode()
    try:
        shaped = "error" in msgspec.json.decode(said, type=dict[str, Any])
    except msgspec.DecodeError:
        shaped = False
    if shaped:
        return Whole(status, JSON, said)
    quoted = f": {wrong.OriginalMessage[:LONGEST_QUOTE]}" if said else "."  # to who sent the request, nobody else
    return _told(status, "model_error", f"The model behind the SageMaker endpoint answered with an error{quoted}")
