"""Fine-tuned models as models of the catalogue: as large and fast as before, with a name and success of their own."""

from dataclasses import replace

import msgspec

from breakeven.catalogue.load import Catalogue
from breakeven.catalogue.schema import ModelSpec
from breakeven.errors import SpecError, UnknownNameError
from breakeven.options.names import model_names
from breakeven.wording import quoting
from breakeven.workload.fine_tuning import FineTuning
from breakeven.workload.policy import Policy
from breakeven.workload.success import Answers


class TunedModel(ModelSpec, frozen=True, kw_only=True, array_like=True):
    """An open model after fine-tuning. LoRA's matrices are taken to be added to the weights before it serves."""

    base: ModelSpec


def as_measured(model: ModelSpec) -> ModelSpec:
    """The model under whose name speeds were measured."""
    return model.base if isinstance(model, TunedModel) else model


def with_tuned(catalogue: Catalogue, policy: Policy) -> tuple[Catalogue, Policy]:
    """The catalogue with the fine-tuned models, and the policy with their success.

    Raises:
        UnknownNameError: a model is neither open nor a fine-tuned offer.
        SpecError: what is said does not fit the kind of model.
    """
    if not policy.fine_tuning:
        return catalogue, policy
    added: dict[str, ModelSpec] = {}
    answers = policy.quality or Answers()
    rates = dict(answers.success)
    for tuning in policy.fine_tuning:
        name = result_name(tuning, catalogue)
        if name in rates or (not is_offer(tuning, catalogue) and name in model_names(catalogue)) or name in added:
            raise SpecError(
                quoting("fine_tuning gives the name {name}, which is taken", name=name),
                expected="a name of its own, and its success there alone",
                do="Give it another name",
            )
        rates[name] = tuning.rate
        if not is_offer(tuning, catalogue):
            base = catalogue.models[tuning.model]
            fields = {field: getattr(base, field) for field in ModelSpec.__struct_fields__}
            added[name] = TunedModel(**fields | {"name": name}, base=base)
    tuned = replace(catalogue, models=catalogue.models | added)
    quality = msgspec.structs.replace(answers, success=rates)
    return tuned, msgspec.structs.replace(policy, quality=quality)


def is_offer(tuning: FineTuning, catalogue: Catalogue) -> bool:
    """Whether it is a paid API's fine-tuned offer."""
    return any(o.model == tuning.model and o.mode == "fine-tuned" for o in catalogue.tables.api_offers)


def result_name(tuning: FineTuning, catalogue: Catalogue) -> str:
    """The name under which the result competes: that of the offer, or one of its own.

    Raises:
        UnknownNameError: there is no such open model and no such offer.
        SpecError: what is said does not fit the kind of model.
    """
    if is_offer(tuning, catalogue):
        if tuning.usd_per_million_tokens is None:
            raise SpecError(
                quoting(
                    "fine_tuning of {model} has no price of training, and the catalogue knows none", model=tuning.model
                ),
                expected="usd_per_million_tokens, as your provider lists it",
                do="Add it",
            )
        return tuning.model
    offers = {o.model for o in catalogue.tables.api_offers if o.mode == "fine-tuned"}
    if tuning.model not in catalogue.models:
        raise UnknownNameError(
            "model to fine-tune", tuning.model, {*catalogue.models, *offers}, search="breakeven catalogue list models"
        )
    if tuning.method is None:
        raise SpecError(
            quoting("fine_tuning of {model} does not say how", model=tuning.model),
            expected="method: lora or method: full",
            do="Add it",
        )
    return tuning.called
