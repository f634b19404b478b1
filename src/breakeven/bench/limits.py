"""How much a run may send: so many requests, so many dollars; nothing to somebody else's server without being told."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from urllib.parse import urlsplit

from breakeven.bench.outcome import Outcome
from breakeven.bench.schedule import Sized
from breakeven.errors import SpecError
from breakeven.units import TOKENS_PER_MTOK

OWN_ENDINGS = (".local", ".internal", ".svc", ".localhost", ".lan")


def is_own(url: str) -> bool:
    """Whether the address can only be one's own machine or network.

    >>> is_own("http://127.0.0.1:8000/v1"), is_own("http://vllm:8000"), is_own("https://api.example.com/v1")
    (True, True, False)
    """
    host = (urlsplit(url).hostname or "").rstrip(".").lower()
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "." not in host or host.endswith(OWN_ENDINGS)
    return address.is_loopback or address.is_private or address.is_link_local


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What an API charges for a million tokens at most, in any hour and for prompts of any length asked for."""

    input_usd_per_mtok: Decimal
    output_usd_per_mtok: Decimal

    def usd(self, input_tokens: int, output_tokens: int) -> Decimal:
        """What so many tokens cost at most."""
        spent = self.input_usd_per_mtok * input_tokens + self.output_usd_per_mtok * output_tokens
        return spent / TOKENS_PER_MTOK


@dataclass(slots=True, kw_only=True)
class Spending:
    """What has been sent, held against the limits. ``None``: no limit."""

    max_requests: int | None = None
    max_usd: Decimal | None = None
    price: Price | None = None
    requests: int = 0
    usd: Decimal = Decimal(0)
    _reserved: Decimal = Decimal(0)

    def count(self, requests: int) -> None:
        """Requests that are sent without asking: the probes."""
        self.requests += requests

    def refuses(self, sized: Sized) -> str | None:
        """Why the next request may not be sent; it is counted, with what it can cost, where it may."""
        if self.max_requests is not None and self.requests >= self.max_requests:
            return f"--max-requests {self.max_requests} is reached"
        most = self._most(sized)
        if self.max_usd is not None and self.usd + self._reserved + most > self.max_usd:
            return f"--max-usd {self.max_usd} would be passed"
        self.requests += 1
        self._reserved += most
        return None

    def settle(self, outcome: Outcome, sized: Sized | None = None) -> None:
        """What a request came to; where the server did not count, or it failed, the most that it can have been."""
        if self.price is None:
            return
        most = self._most(sized) if sized else Decimal(0)
        self._reserved -= most
        if outcome.input_tokens is None or outcome.output_tokens is None:
            self.usd += most
        else:
            self.usd += self.price.usd(outcome.input_tokens, outcome.output_tokens)

    def _most(self, sized: Sized) -> Decimal:
        return self.price.usd(sized.input_tokens, sized.output_tokens) if self.price else Decimal(0)


def checked(url: str, planned: Sequence[Sized], spending: Spending) -> None:
    """Refuse, before anything is sent, a run that its limits do not allow.

    Raises:
        SpecError: the server may charge and no limit was given, or more would be sent than a limit allows.
    """
    count = len(planned)
    tokens = (sum(one.input_tokens for one in planned), sum(one.output_tokens for one in planned))
    volume = f"{count:,} requests with up to {tokens[0]:,} tokens in and {tokens[1]:,} out"
    if spending.max_usd is not None and spending.price is None:
        raise SpecError(
            f"--max-usd {spending.max_usd} is given, but no price",
            expected="the API whose prices hold, by its name in the catalogue",
            do="Name it with --api provider/model, or limit the run with --max-requests",
        )
    most = spending.price.usd(*tokens) if spending.price else None
    worth = "" if most is None else f", ${most:.2f} at most"
    if not is_own(url) and spending.max_requests is None and spending.max_usd is None:
        raise SpecError(
            f"{urlsplit(url).hostname} may charge for what is sent to it: {volume}{worth}",
            expected="to be told how much it may be",
            do=f"Allow it with --max-requests {count}, or with --max-usd and --api provider/model",
        )
    if spending.max_requests is not None and count > spending.max_requests:
        raise SpecError(
            f"{volume} would be sent, warm-up and calibration included",
            expected=f"at most --max-requests {spending.max_requests}",
            do="Lower --requests or --warm-up, or raise the limit",
        )
    if spending.max_usd is not None and most is not None and most > spending.max_usd:
        raise SpecError(
            f"{volume} can cost ${most:.4f}",
            expected=f"at most --max-usd {spending.max_usd}",
            do="Lower --requests, or raise the limit",
        )
