"""Fine-tuning as the user plans it: how much it reads, how it is done, for how long it serves, how good it makes."""

from typing import Annotated, Literal

import msgspec

from breakeven.errors import SpecError, refuse_odd_number
from breakeven.fields import said
from breakeven.wording import quoting
from breakeven.workload.success import CountedSuccess, SuccessRate, refuse_odd_share, stated_rate

Method = Literal["lora", "full"]


class FineTuning(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model of the catalogue fine-tuned for this workload: an option of its own (docs/guides/quality.md)."""

    model: Annotated[str, said("an open model of the catalogue, or a paid API's fine-tuned offer (`ft:...`)")]
    tokens: Annotated[float, said("tokens of the training set")]
    horizon_months: Annotated[float, said("months for which the result serves: the cost is spread over them")]
    success: Annotated[
        float | CountedSuccess, said("share of right answers after it, as under `quality`; it is never guessed")
    ]
    method: Annotated[Method | None, said("`lora` or `full`, for an open model")] = None
    name: Annotated[str | None, said("what the result is called; without it the model's name and `-tuned`")] = None
    epochs: Annotated[float, said("how often the training set is read")] = 1.0
    runs: Annotated[int, said("runs within the horizon: trials, and repeats as data change")] = 1
    recompute: Annotated[
        bool, said("activations are computed again on the way back, which saves memory and takes a third more")
    ] = False
    flops_share: Annotated[
        float | None, said("share of the datasheet's 16-bit rate that training reaches; else that of reading prompts")
    ] = None
    machine: Annotated[str | None, said("what it is trained on; else the cheapest that holds it")] = None
    within_hours: Annotated[float | None, said("hours that one run may take; else as many as are cheapest")] = None
    examples_usd: Annotated[float | None, said("what gathering the examples costs; not counted if left out")] = None
    usd_per_million_tokens: Annotated[float | None, said("an API's price of training, a million tokens read")] = None

    def __post_init__(self) -> None:
        for name in ("tokens", "horizon_months", "epochs", "runs", "within_hours"):
            refuse_odd_number(f"fine_tuning.{name}", getattr(self, name), above_zero=True)
        for name in ("examples_usd", "usd_per_million_tokens"):
            refuse_odd_number(f"fine_tuning.{name}", getattr(self, name))
        refuse_odd_share("fine_tuning.success", self.rate.rate)
        if self.flops_share is not None and not 0 < self.flops_share <= 1:
            raise SpecError(
                quoting("{field} is {value:g}", field="fine_tuning.flops_share", value=self.flops_share),
                expected="a share above 0, up to 1",
                do="Write 0.4 for 40 %",
            )

    @property
    def rate(self) -> SuccessRate:
        """The success rate after it."""
        return stated_rate(self.success)

    @property
    def called(self) -> str:
        """The name of the result."""
        return self.name or f"{self.model}-tuned"

    @property
    def tokens_read(self) -> float:
        """Of one run: the training set, as often as it is read."""
        return self.tokens * self.epochs
