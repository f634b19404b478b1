"""Virtual keys: what one is, how a secret is made, and what is kept of it.

A secret is 256 random bits, so that nobody can guess it, however fast guesses are hashed: a slow hash (bcrypt, argon2)
protects words that people choose, and would cost every request milliseconds for nothing. One SHA-256 is kept.
"""

import hashlib
import secrets

import msgspec

from breakeven.gateway.books.periods import PeriodKind

PREFIX = "be-"
SECRET_BYTES = 32
HINT = 4
ANY = "*"


class VirtualKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key as the store keeps it. Budgets and limits that are ``None`` are not there.

    Attributes:
        id: Its name in records and in the admin API; no secret.
        name: What people call it.
        hint: The last characters of the secret, to tell keys apart.
        team: The team that pays.
        models: The models it may call; one that ends in ``*`` stands for all that begin so. Empty: all.
        budget_pico_usd: Dollars a period.
        budget_requests: Requests a period.
        period: What a budget is for, in UTC.
        requests_per_minute: Requests in any sixty seconds, at one gateway.
        tokens_per_minute: Tokens in any sixty seconds, at one gateway.
        concurrent_requests: Requests at the same time, at one gateway.
        expires_us: From when on it is refused.
        disabled: Whether it is refused now.
        deleted: Whether it is gone; its records keep their meaning.
        created_us: When it was made.
    """

    id: str
    name: str
    hint: str = ""
    team: str | None = None
    models: tuple[str, ...] = ()
    budget_pico_usd: int | None = None
    budget_requests: int | None = None
    period: PeriodKind = "month"
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrent_requests: int | None = None
    expires_us: int | None = None
    disabled: bool = False
    deleted: bool = False
    created_us: int = 0

    def may_call(self, model: str) -> bool:
        """Whether it may call a model."""
        if not self.models or model in self.models:
            return True
        return any(one.endswith(ANY) and model.startswith(one[:-1]) for one in self.models)


def new_secret() -> str:
    """A new secret."""
    return PREFIX + secrets.token_urlsafe(SECRET_BYTES)


def new_id() -> str:
    """A new name of a key."""
    return "key_" + secrets.token_hex(8)


def digest_of(secret: str) -> bytes:
    """What is kept of a secret.

    >>> digest_of("be-x").hex()[:8]
    '74f638fe'
    """
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
