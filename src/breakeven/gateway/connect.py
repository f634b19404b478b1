"""From rules to upstreams that can be asked: one for each replica, by how it is spoken to."""

from functools import partial

from breakeven.gateway.aws import Address
from breakeven.gateway.openai_compatible import OpenAICompatible
from breakeven.gateway.rules import Replica, Rules, Target
from breakeven.gateway.sagemaker import SageMaker
from breakeven.gateway.upstream import Upstream


def upstreams_of(rules: Rules) -> dict[str, Upstream]:
    """The upstreams by the name of the replica. Nothing is connected before the first request.

    Raises:
        SpecError: if a SageMaker endpoint has no region.
    """
    return {replica.name: _upstream(rules, target, replica) for target in rules.targets for replica in target.replicas}


def _upstream(rules: Rules, target: Target, replica: Replica) -> Upstream:
    times, what = rules.timeouts, target.sagemaker
    if what is None:
        return OpenAICompatible(name=replica.name, base_url=replica.url, key=target.key, connect_s=times.connect_s)
    address = Address(
        endpoint=what.endpoint,
        region=what.region,
        component=what.component,
        variant=what.variant,
        base_url=replica.url or None,
    )
    connected = partial(_connected, replica.name, times.connect_s)
    return SageMaker(replica.name, address, connected, door=what.door)


def _connected(name: str, connect_s: float, base_url: str) -> OpenAICompatible:
    return OpenAICompatible(name=name, base_url=base_url, connect_s=connect_s)
