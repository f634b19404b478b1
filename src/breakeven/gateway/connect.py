"""From rules to upstreams that can be asked: one for each replica, by how it is spoken to."""

from breakeven.gateway.openai_compatible import OpenAICompatible
from breakeven.gateway.rules import Rules
from breakeven.gateway.upstream import Upstream


def upstreams_of(rules: Rules) -> dict[str, Upstream]:
    """The upstreams by the name of the replica. Nothing is connected before the first request."""
    return {
        replica.name: OpenAICompatible(
            name=replica.name, base_url=replica.url, key=target.key, connect_s=rules.timeouts.connect_s
        )
        for target in rules.targets
        for replica in target.replicas
    }
