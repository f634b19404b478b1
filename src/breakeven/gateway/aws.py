"""What AWS wants to see of a request to a SageMaker endpoint: its address, a signature, or a short-lived token."""

import asyncio
import base64
import importlib
import time
from typing import Any

import msgspec

from breakeven.errors import SpecError
from breakeven.gateway.upstream import UpstreamError
from breakeven.units import SECONDS_PER_HOUR

SERVICE = "sagemaker"
TOKEN_PREFIX = "sagemaker-api-key-"
TOKEN_LIFE_S = SECONDS_PER_HOUR
TOKEN_RENEWED_AFTER_S = 600.0  # well before it ends, and soon enough that new credentials are taken up
TOKEN_HOST = "sagemaker.amazonaws.com"


def load(module: str) -> Any:  # noqa: ANN401 - botocore carries no types
    """A module of botocore, loaded when a SageMaker endpoint is used and not before.

    Raises:
        SpecError: if the extra that brings it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as wrong:
        raise SpecError(
            "botocore is not installed, and requests to a SageMaker endpoint are signed by it",
            expected="the extra `aws`",
            do="pip install 'breakeven[aws]'",
        ) from wrong


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """Which endpoint is meant.

    Attributes:
        endpoint: The endpoint's name.
        region: Its region; ``None`` takes the region of botocore's own settings (``AWS_REGION``, the profile).
        component: The inference component, for endpoints that hold several models.
        variant: The production variant, where one of several is meant.
        base_url: In place of AWS's public address: a VPC endpoint, for example.
    """

    endpoint: str
    region: str | None = None
    component: str | None = None
    variant: str | None = None
    base_url: str | None = None


class Signer:
    """Signs requests with whatever credentials botocore finds: environment, profile, container or machine role."""

    def __init__(self, address: Address) -> None:
        session = load("botocore.session").Session()
        self._auth = load("botocore.auth")
        self._requests = load("botocore.awsrequest")
        self._session = session
        self._credentials: Any = None
        self._finding = asyncio.Lock()
        self._token: tuple[str, float] | None = None
        region = address.region or session.get_config_variable("region")
        if not region:
            raise SpecError(
                f"the SageMaker endpoint {address.endpoint!r} has no region",
                expected="a region, such as eu-central-1",
                do="Name it with the endpoint, or set AWS_REGION",
            )
        self.region: str = region
        self.base_url = (address.base_url or f"https://{self._public_host()}").rstrip("/")

    def _public_host(self) -> str:
        """The host of the runtime API: the partition of the region (China, GovCloud) decides how it ends."""
        try:
            partition = self._session.get_partition_for_region(self.region)
        except Exception as unknown:
            raise SpecError(
                f"{self.region!r} is no AWS region", expected="a region, such as eu-central-1", do="Correct it"
            ) from unknown
        known = self._session.get_component("data_loader").load_data("partitions")["partitions"]
        suffix = next(row["outputs"]["dnsSuffix"] for row in known if row["id"] == partition)
        return f"runtime.sagemaker.{self.region}.{suffix}"

    async def _frozen(self) -> Any:  # noqa: ANN401 - botocore carries no types
        """Key, secret and session token as they are now, read together so that a renewal cannot mix two of them.

        Finding and renewing them may ask a machine's role over the network, so that happens in a thread.
        """
        if self._credentials is None:
            async with self._finding:
                if self._credentials is None:
                    self._credentials = await asyncio.to_thread(self._session.get_credentials)
        if self._credentials is None:
            raise UpstreamError("misconfigured", "no AWS credentials were found (environment, profile or role)")
        if hasattr(self._credentials, "refresh_needed") and self._credentials.refresh_needed():
            return await asyncio.to_thread(self._credentials.get_frozen_credentials)
        return self._credentials.get_frozen_credentials()

    async def sign(self, url: str, body: bytes, headers: dict[str, str]) -> dict[str, str]:
        """The headers with those that AWS wants beside them: date, token of the session, signature."""
        request = self._requests.AWSRequest(method="POST", url=url, data=body, headers=headers)
        self._auth.SigV4Auth(await self._credentials_now(), SERVICE, self.region).add_auth(request)
        return dict(request.headers.items())

    async def token(self) -> str:
        """A bearer token for ``/openai/v1``: a signed permission to call, made here without asking anybody."""
        now = time.monotonic()
        if self._token is None or now - self._token[1] > TOKEN_RENEWED_AFTER_S:
            request = self._requests.AWSRequest(
                method="POST",
                url=f"https://{TOKEN_HOST}/",
                headers={"host": TOKEN_HOST},
                params={"Action": "CallWithBearerToken"},
            )
            credentials = await self._credentials_now()
            self._auth.SigV4QueryAuth(credentials, SERVICE, self.region, expires=TOKEN_LIFE_S).add_auth(request)
            signed = request.url.removeprefix("https://") + "&Version=1"
            self._token = TOKEN_PREFIX + base64.b64encode(signed.encode()).decode(), now
        return self._token[0]

    async def _credentials_now(self) -> Any:  # noqa: ANN401 - botocore carries no types
        try:
            return await self._frozen()
        except UpstreamError:
            raise
        except Exception as wrong:  # botocore raises many kinds; their texts may name files and roles, never secrets
            raise UpstreamError("misconfigured", f"AWS credentials: {type(wrong).__name__}") from wrong
