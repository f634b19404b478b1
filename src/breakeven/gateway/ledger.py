"""What the door asks of the books: who may enter, what is held back for them, and what they used in the end."""

from typing import Protocol

import msgspec

from breakeven.gateway.records import UsageRecord


class Admission(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One request that was let in, with what was held back for it.

    Attributes:
        key: The id of the virtual key; ``None`` where the gateway asks for none.
        team: The key's team.
        held_pico_usd: Dollars held back from the budgets of the key and its team until ``settle``; 0 without a budget.
    """

    key: str | None = None
    team: str | None = None
    held_pico_usd: int = 0


class Refused(Exception):  # noqa: N818 - a refusal is an answer, not a fault
    """The request may not enter. ``status``, ``code`` and ``message`` become an error in OpenAI's shape.

    Attributes:
        status: 401 for a wrong key, 403 for a model that the key may not use, 429 for a spent budget or a rate limit,
            503 where the books cannot be asked.
        kind: OpenAI's ``type``, such as ``invalid_request_error`` or ``insufficient_quota``.
        code: OpenAI's ``code``, such as ``invalid_api_key``.
        retry_after_s: When asking again makes sense, where that is known.
        whose: The key and team that were refused, where they are known: a refusal is metered too.
    """

    def __init__(
        self, status: int, code: str, message: str, *, kind: str = "invalid_request_error",
        retry_after_s: float | None = None,
    ) -> None:  # fmt: skip
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.code = code
        self.message = message
        self.retry_after_s = retry_after_s
        self.whose: Admission | None = None


class Ledger(Protocol):
    """Keys, budgets, rate limits and usage records behind two calls that stand in the path of every request."""

    async def admit(self, secret: str | None, *, model: str | None, most_pico_usd: int | None) -> Admission:
        """Let a request in and hold back the most it can cost (``None``: unknown). Raises ``Refused``.

        ``model`` is ``None`` where no model is asked, such as for the list of models.
        In memory where it can be: it must not add a round trip to a database to every request.
        """
        ...

    def settle(self, admission: Admission | None, record: UsageRecord) -> None:
        """Give back what was held, charge what was used, keep the record. Never waits and never raises."""
        ...
