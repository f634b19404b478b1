"""Why a request may not enter, in words that say what to do."""

from datetime import UTC, datetime

from breakeven.gateway.books.budget import Account, Amount
from breakeven.gateway.books.money import usd_of
from breakeven.gateway.books.purses import Slice
from breakeven.gateway.ledger import Refused
from breakeven.units import MICROSECONDS_PER_SECOND

WORDS = {"day": "a day", "month": "a month", "total": "in all"}
HELD_S = 1.0
"""Where others hold what is missing: about when to ask again."""
AWAY_S = 2.0


def no_key() -> Refused:
    """No key came with the request."""
    return Refused(
        401,
        "invalid_api_key",
        "No API key came with the request. Send a virtual key of this gateway: Authorization: Bearer be-...",
    )


def wrong_key() -> Refused:
    """A key that nobody has."""
    return Refused(
        401, "invalid_api_key", "This API key is not known here. Use a virtual key of this gateway (be-...), in full."
    )


def disabled_key() -> Refused:
    """A key that was turned off."""
    return Refused(401, "invalid_api_key", "This API key is disabled. Ask whoever runs the gateway.")


def expired_key(expires_us: int) -> Refused:
    """A key whose time is over."""
    at = datetime.fromtimestamp(expires_us // MICROSECONDS_PER_SECOND, UTC)
    return Refused(401, "invalid_api_key", f"This API key expired on {at:%Y-%m-%d %H:%M} UTC. Ask for a new one.")


def model_not_allowed(model: str, models: tuple[str, ...]) -> Refused:
    """A model that the key may not call."""
    return Refused(
        403,
        "model_not_allowed",
        f"This API key may not call the model {model!r}. It may call: {', '.join(models)}.",
        kind="permission_error",
    )


def too_many(what: str, limit: int, wait_s: float) -> Refused:
    """A rate limit: ``what`` is ``requests a minute`` and the like."""
    return Refused(
        429,
        "rate_limit_exceeded",
        f"This API key may use {limit:,} {what}. Try again in {max(1, round(wait_s))} s.",
        kind="rate_limit_error",
        retry_after_s=max(1.0, wait_s),
    )


def no_known_cost(model: str, whose: str) -> Refused:
    """The key or its team has a budget in dollars, and nobody knows what the request can cost."""
    return Refused(
        403,
        "cost_unknown",
        f"{whose} has a budget in dollars, and it is not known what a request to {model!r} can cost at most. Ask "
        "whoever runs the gateway to give the model a price or to set unknown_cost_usd.",
        kind="permission_error",
    )


def books_away() -> Refused:
    """The budget cannot be checked now."""
    return Refused(
        503,
        "books_unavailable",
        "The budget of this API key cannot be checked now: the gateway's store does not answer. Try again in a moment.",
        kind="server_error",
        retry_after_s=AWAY_S,
    )


def spent_budget(one: Slice, most: Amount, now_s: float) -> Refused:
    """The budget is spent, held back for requests that run, or less than this request can cost."""
    account, budget = one.account, one.allowance
    unspent = account.limit.less(account.spent)
    whole, left = usd_of(account.limit.pico_usd), usd_of(max(0, unspent.pico_usd))
    words, renews = WORDS[budget.period], one.period.renews
    again = f"It renews on {renews}." if renews else "It does not renew; ask for more."
    if unspent.covers(most):
        return Refused(
            429,
            "insufficient_quota",
            f"{budget.whose}'s budget has {_left(account, most)} {words} left, and that is held back for requests that "
            f"are running. Try again in {HELD_S:.0f} s, or ask for fewer tokens.",
            kind="insufficient_quota",
            retry_after_s=HELD_S,
        )
    if most.requests > unspent.requests:
        told = f"{budget.whose} has used its {account.limit.requests:,} requests {words}."
    else:
        can = f"has ${left} left, and this request can cost ${usd_of(most.pico_usd)}: ask for fewer tokens."
        told = f"{budget.whose}'s budget of ${whole} {words} {can}"
        if unspent.pico_usd <= 0:
            told = f"{budget.whose}'s budget of ${whole} {words} is spent."
    wait_s = one.period.until_s - now_s if renews else None
    return Refused(429, "insufficient_quota", f"{told} {again}", kind="insufficient_quota", retry_after_s=wait_s)


def _left(account: Account, most: Amount) -> str:
    unspent = account.limit.less(account.spent)
    parts = [f"${usd_of(unspent.pico_usd)} of ${usd_of(account.limit.pico_usd)}"] if most.pico_usd else []
    parts += [f"{unspent.requests:,} of {account.limit.requests:,} requests"] if most.requests else []
    return ", ".join(parts)
