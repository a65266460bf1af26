"""verify: prove that clients can work. Through the client hostname: the right cluster, a canary record written and read
back; and no gateway instance of the standby still on another cluster."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from failover.credentials import Credentials, credentials, with_credentials
from failover.errors import FailoverError, FleetUnavailable, KafkaUnavailable
from failover.gateway import Instance, fleets_of
from failover.kafka import Settings, cluster_id, settings, write_and_read_back
from failover.plan import Plan
from failover.step import Report, Request, done, step, waiting


def verify(request: Request, plan: Plan) -> Report:
    """Done when everything is proven; what is not yet is said in `unproven`."""
    standby = plan.site(request.execution.to_site)
    wanted = standby.kafka.cluster_id
    bootstrap = standby.fleets[0].bootstrap if request.execution.dry_run else plan.bootstrap
    secret = plan.clients.credentials
    unproven: list[str] = []
    proven: list[str] = []

    def as_client(held: Credentials | None) -> Settings:
        return settings(bootstrap, plan.clients.security_protocol, held)

    try:
        found = with_credentials(secret, lambda held: cluster_id(as_client(held)))
        _same(found, wanted, "through the client hostname")
        proven.append(f"the client hostname leads to {wanted}")
        if not request.execution.dry_run:
            partition, offset = write_and_read_back(as_client(credentials(secret)), plan.clients.canary_topic)
            proven.append(f"canary written and read back at {plan.clients.canary_topic}[{partition}]@{offset}")
    except KafkaUnavailable as error:
        unproven.append(str(error))
    for name, found in _instances(plan, request.execution.to_site, as_client(credentials(secret))).items():
        (proven if found == wanted else unproven).append(f"instance {name} is on {found}")
    if request.execution.dry_run:
        return done(proven=proven, would_still_have_to_prove=unproven)
    return waiting(proven=proven, unproven=unproven) if unproven else done(proven=proven)


def _same(found: str, wanted: str, where: str) -> None:
    if found != wanted:
        raise KafkaUnavailable(f"{where} cluster {found} answers, not {wanted}")


def _instances(plan: Plan, site: str, as_client: Settings) -> dict[str, str]:
    """The cluster each instance is on, asked of the instance itself, not through the balancer."""
    instances: list[Instance] = []
    unseen: dict[str, str] = {}
    for name, fleet in fleets_of(plan.site(site)):
        try:
            instances += [instance for instance in fleet.look().instances if instance.bootstrap]
        except FleetUnavailable as error:
            unseen[f"(any of {name})"] = f"a cluster nobody knows: {error}"
    if not instances:
        return unseen
    with ThreadPoolExecutor(max_workers=min(16, len(instances))) as pool:
        found = pool.map(lambda i: _asked(dict(as_client) | {"bootstrap.servers": str(i.bootstrap)}), instances)
        return unseen | {instance.name: said for instance, said in zip(instances, found, strict=True)}


def _asked(chosen: Settings) -> str:
    try:
        return cluster_id(chosen)
    except FailoverError as error:
        return f"no cluster that answers ({error})"


handler = step("verify", Request, verify)
