"""What the account may have, asked of Service Quotas, beside what a deployment needs. The client is an argument."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from breakeven.deploy.intent import Quota
from breakeven.deploy.launch import Client
from breakeven.errors import SpecError, near_matches

CODES = {"SageMaker": "sagemaker", "Lambda": "lambda"}
LISTS = ("list_service_quotas", "list_aws_default_service_quotas")
"""What this account has first; AWS's default where nothing was ever applied to it."""
ALLOWED = ("servicequotas:ListServiceQuotas", "servicequotas:ListAWSDefaultServiceQuotas")
"""The rights that asking takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A quota and what AWS says of it."""

    quota: Quota
    have: float | None
    """``None``: AWS lists no quota of that name, so there is nothing to compare with."""
    code: str = ""
    others: tuple[str, ...] = ()
    """Where there is none: of what else AWS lists the same kind of quota, the likest first."""

    @property
    def short(self) -> bool:
        """Whether the account may have less than is needed."""
        return self.have is not None and self.have < self.quota.needed


def standings(client: Client, quotas: Sequence[Quota]) -> tuple[Standing, ...]:
    """Each quota as the account has it. ``client``: of Service Quotas, in the region of the stack."""
    return tuple(_standing(client, quota) for quota in quotas)


def refuse_short(found: Sequence[Standing], region: str) -> None:
    """Refuse what the account has too little of, or the region has none of, before anything is created.

    Raises:
        SpecError: a quota is smaller than what is needed, every such quota is named; or machines have no quota there,
            while others do.
    """
    for one in found:
        if one.others:
            raise SpecError(
                f"{region} has no quota {one.quota.name!r} of {one.quota.service}, so it lacks that instance",
                expected=f"one of those that it lists, such as {', '.join(one.others)}",
                do="Plan another machine or region; `breakeven template` writes the stack if you know better",
            )
    short = [one for one in found if one.short]
    if not short:
        return
    given = "; ".join(f"{one.quota.service}, {one.quota.name}: you have {one.have:g}" for one in short)
    expected = "; ".join(f"at least {one.quota.needed}" for one in short)
    asked = " and ".join(
        f"`aws service-quotas request-service-quota-increase --region {region} "
        f"--service-code {CODES[one.quota.service]} --quota-code {one.code} --desired-value {one.quota.needed}`"
        for one in short
    )
    raise SpecError(
        f"{given} in {region}", expected=expected, do=f"Ask AWS for more, {asked}, or choose another option"
    )


def _standing(client: Client, quota: Quota) -> Standing:
    machine, _, use = quota.name.partition(" for ")
    others = set()
    for listing in LISTS:
        for name, value, code in _listed(client, listing, CODES[quota.service]):
            if name == quota.name:
                return Standing(quota=quota, have=value, code=code)
            other, _, its_use = name.partition(" for ")
            if use and its_use == use:
                others.add(other)
    return Standing(
        quota=quota, have=None, others=tuple(near_matches(machine, sorted(others))) or tuple(sorted(others))[:3]
    )


def _listed(client: Client, listing: str, service: str) -> Iterator[tuple[str, float, str]]:
    """Name, value and code of a service's quotas. SageMaker has over a thousand, so that they are read by the page."""
    for page in client.get_paginator(listing).paginate(ServiceCode=service):
        for quota in page["Quotas"]:
            if (value := quota.get("Value")) is not None:
                yield quota["QuotaName"], value, quota["QuotaCode"]
