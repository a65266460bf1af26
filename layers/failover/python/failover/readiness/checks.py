"""The checks: each looks at what its concern needs, and hands it to that concern's judgement. They run side by side;
what one can't look at makes that one unknown, and no other."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from typing import Final, TypeVar

from aws_lambda_powertools import Logger

from failover.aws.secrets import Secret
from failover.detection.signal_store import signals
from failover.dns import targets_of
from failover.documents import readiness as documents
from failover.errors import FailoverError, KafkaUnauthorized
from failover.kafka.canary import write_and_read_back
from failover.kafka.cluster import cluster_id
from failover.kafka.factory import as_client
from failover.ledger.ledger import Ledger
from failover.link import STOPPED, MirrorLink, Rejection
from failover.link.factory import cluster_at, links_at
from failover.plan.consistency import FASTEST_WATCH_S
from failover.plan.model import Plan
from failover.readiness import (
    Check,
    Finding,
    acls,
    beside,
    check,
    client_name,
    controller,
    detection,
    fail,
    links,
    mirrors,
    ok,
    unknown,
    unreadable,
)
from failover.readiness import credentials as logins
from failover.readiness import fleets as of_fleets
from failover.readiness import hooks as of_hooks
from failover.readiness import rescue as rescues
from failover.readiness import roles as of_roles
from failover.readiness.dry_run import load_dry_run
from failover.readiness.group_protocols import protocols
from failover.readiness.leader_epochs import epochs
from failover.readiness.offsets import group_offsets
from failover.readiness.practice import last_practice, load_practice
from failover.readiness.quotas import quotas
from failover.readiness.snapshot import PlanSnapshot
from failover.rescue.bucket import look_at_bucket

logger = Logger(service="failover")
Answer = TypeVar("Answer")

DEADLINE_S: Final = 45.0
DRY_RUN_MAX_AGE_S: Final = 3600.0
_BATCH: Final = 250
_SIDE_BY_SIDE: Final = 4


@dataclass(frozen=True, kw_only=True)
class Readiness:
    """One round of checks."""

    plan: str
    active: str | None
    """None: the ledger did not tell."""
    at: float
    """Seconds since 1970."""
    took_seconds: float
    checks: tuple[Check, ...]
    under_way: str | None = None
    """An execution that is at it, so that what is seen is in between."""

    @property
    def unready(self) -> tuple[Check, ...]:
        """The checks that a failover can't count on."""
        return tuple(check for check in self.checks if not check.ready)

    def as_document(self) -> documents.Readiness:
        """The form it has in the ledger and in answers."""
        return {
            "version": 1,
            "plan": self.plan,
            "active": self.active,
            "taken_at": self.at,
            "took_seconds": self.took_seconds,
            "under_way": self.under_way,
            "ready": not self.unready,
            "checks": [check.as_document() for check in self.checks],
        }


def run_checks(plan: Plan, book: Ledger) -> Readiness:
    """Run every check, side by side; takes as long as the slowest, and not much more than `DEADLINE_S`."""
    started, snapshot = time.monotonic(), PlanSnapshot(plan, book, time.time())
    pool = ThreadPoolExecutor(max_workers=len(CHECKS), thread_name_prefix="check")
    running = {name: pool.submit(_checked, name, look, snapshot) for name, look in CHECKS.items()}
    pool.shutdown(wait=False)
    done = tuple(_in_time(name, future, started + DEADLINE_S) for name, future in running.items())
    active, under_way, stopped = _standing(snapshot)
    if stopped is not None:
        done = tuple(controller.after_stop(check_, stopped) for check_ in done)
    return Readiness(
        plan=plan.name,
        active=active,
        at=snapshot.now,
        took_seconds=round(time.monotonic() - started, 3),
        checks=done,
        under_way=under_way,
    )


def _checked(name: str, look: Callable[[PlanSnapshot], Iterable[Finding]], snapshot: PlanSnapshot) -> Check:
    findings: list[Finding] = []
    try:
        findings += look(snapshot)
    except Exception as error:
        if not isinstance(error, FailoverError):
            logger.exception("a check failed itself", check=name)
        findings.append(unreadable(error))
    return check(name, findings)


def _in_time(name: str, running: Future[Check], deadline: float) -> Check:
    try:
        return running.result(max(0.0, deadline - time.monotonic()))
    except FutureTimeoutError:
        return check(name, [unknown(f"no answer within {DEADLINE_S:.0f} s", "look at what it asks")])


def _standing(snapshot: PlanSnapshot) -> tuple[str | None, str | None, str | None]:
    """The active site, the execution that is at it, and the one that stopped and holds the lease."""
    try:
        state, holder, ended = snapshot.state(), snapshot.holder(), snapshot.ended()
    except FailoverError:
        return None, None, None
    if controller.under_way(snapshot.plan, state, holder=holder, ended=ended, now=snapshot.now):
        return state.active, state.holder, None
    return state.active, None, state.holder


def _plan(snapshot: PlanSnapshot) -> Iterator[Finding]:
    yield from controller.plan_itself(snapshot.plan, float(os.environ.get("WATCH_SECONDS", FASTEST_WATCH_S)))


def _detection(snapshot: PlanSnapshot) -> Iterator[Finding]:
    heard = signals(snapshot.book, snapshot.plan.name)
    yield from detection.votes(
        snapshot.plan, snapshot.active, signals=heard, alarms=snapshot.alarms(), now=snapshot.now
    )
    if (named := os.environ.get("HEALTH_CHECK_ALARM_NAMES")) is not None:
        yield from detection.unheard(snapshot.plan, named.split(","))


def _links(snapshot: PlanSnapshot) -> Iterator[Finding]:
    for name in _names(snapshot):
        yield from links.state(snapshot.link(snapshot.standby, name))


def _tasks(snapshot: PlanSnapshot) -> Iterator[Finding]:
    for name in _names(snapshot):
        yield from links.tasks(snapshot.plan, snapshot.link(snapshot.standby, name))


def _link_configs(snapshot: PlanSnapshot) -> Iterator[Finding]:
    configs = {name: snapshot.configs(snapshot.standby, name) for name in _names(snapshot)}
    yield from links.offset_sync(snapshot.plan, configs)
    yield from links.new_topics(snapshot.plan, configs)


def _way_back(snapshot: PlanSnapshot) -> Iterator[Finding]:
    for name in _names(snapshot):
        for site in (snapshot.standby, snapshot.active):
            other = snapshot.cluster_id(snapshot.plan.other(site))
            try:
                yield from links.way_back(name, site, snapshot.configs(site, name))
                yield from links.peer(snapshot.link(site, name), site, other)
            except FailoverError as error:
                yield unreadable(error)


def _names(snapshot: PlanSnapshot) -> list[str]:
    return [link.name for link in snapshot.plan.links]


def _coverage(snapshot: PlanSnapshot) -> Iterator[Finding]:
    yield from mirrors.coverage(snapshot.plan, snapshot.topics(snapshot.active), snapshot.mirrors())


def _health(snapshot: PlanSnapshot) -> Iterator[Finding]:
    yield from mirrors.health(snapshot.mirrors())


def _lag(snapshot: PlanSnapshot) -> Iterator[Finding]:
    yield from mirrors.lag(snapshot.plan, snapshot.mirrors(), snapshot.watch(), snapshot.now)


def _canary(snapshot: PlanSnapshot) -> Iterator[Finding]:
    topic = snapshot.plan.clients.canary_topic
    yield from mirrors.canary(topic, snapshot.topics(snapshot.standby), snapshot.mirrors())


def _acls(snapshot: PlanSnapshot) -> Iterator[Finding]:
    active, standby = (cluster_at(snapshot.plan, site).acls() for site in (snapshot.active, snapshot.standby))
    yield from acls.difference(snapshot.plan, active, standby)


def _promotion(snapshot: PlanSnapshot) -> Iterator[Finding]:
    for link in links_at(snapshot.plan, snapshot.standby):
        unpromoted = [mirror.topic for mirror in snapshot.mirrors_by_link()[link.name] if mirror.status != STOPPED]
        yield from logins.promotion(link.name, len(unpromoted), _validated(link, unpromoted))


def _validated(link: MirrorLink, topics: list[str]) -> list[Rejection]:
    """The very call that promotes, in the same batches, and with no effect."""
    batches = [topics[first : first + _BATCH] for first in range(0, len(topics), _BATCH)]
    with ThreadPoolExecutor(max_workers=_SIDE_BY_SIDE) as pool:
        answers = pool.map(lambda batch: link.fail_over(batch, validate_only=True), batches)
        return [rejected for answer in answers for rejected in answer]


def _secrets(snapshot: PlanSnapshot) -> Iterator[Finding]:
    owners = snapshot.plan.logins
    named = dict.fromkeys(Secret(owner.credentials, owner.role) for owner in owners if owner.credentials)
    if not named:
        yield ok("the plan names no secret")
    for secret in named:
        try:
            secret.read_anew()
        except FailoverError as error:
            yield unreadable(error)
        else:
            yield ok(f"secret {secret.name} holds credentials")


def _clients(snapshot: PlanSnapshot) -> Iterator[Finding]:
    """As a client: through each fleet, and through the client hostname with a canary record."""
    plan = snapshot.plan
    for site in (snapshot.active, snapshot.standby):
        for fleet in plan.site(site).fleets:
            target = snapshot.fleet(site, fleet.name).target
            if target in plan.sites:
                where = f"fleet {fleet.name}"
                yield from _logged_in(plan, where, fleet.bootstrap, snapshot.cluster_id(str(target)))
    yield from _logged_in(plan, plan.hostname, plan.bootstrap, snapshot.cluster_id(snapshot.active))
    yield from _canary_passes(plan)


def _logged_in(plan: Plan, where: str, bootstrap: str, expected: str) -> Iterator[Finding]:
    try:
        yield from logins.reached(where, as_client(plan, bootstrap, cluster_id), expected)
    except FailoverError as error:
        yield _refused(error)


def _canary_passes(plan: Plan) -> Iterator[Finding]:
    topic = plan.clients.canary_topic
    try:
        partition, offset = as_client(plan, plan.bootstrap, lambda client: write_and_read_back(client, topic))
        yield ok(f"a canary record was written and read back at {topic}[{partition}]@{offset}")
    except FailoverError as error:
        yield _refused(error)


def _refused(error: FailoverError) -> Finding:
    """Refused credentials may pass in a step, where a secret was just rotated; here they are what was looked for."""
    if isinstance(error, KafkaUnauthorized):
        return fail(str(error), "put credentials into the clients' secret that this cluster knows")
    return unreadable(error)


def _client_name(snapshot: PlanSnapshot) -> Iterator[Finding]:
    plan, state = snapshot.plan, snapshot.client_name()
    if state is None:
        yield ok(f"the plan has no name to flip: clients reach {plan.bootstrap} on either site")
        return
    targets, ttl = targets_of(plan), plan.dns.ttl_seconds
    if plan.dns.answers_every_location:
        yield from client_name.leads_everywhere(plan.hostname, targets.values(), ttl, state)
    else:
        yield from client_name.leads_to(plan.hostname, targets[snapshot.active], ttl, state)
    for obstacle in snapshot.name_obstacles():
        yield fail(obstacle.what, obstacle.remedy)


def _lease(snapshot: PlanSnapshot) -> Iterator[Finding]:
    yield from controller.lease(
        snapshot.plan, snapshot.state(), holder=snapshot.holder(), ended=snapshot.ended(), now=snapshot.now
    )


def _concurrency(snapshot: PlanSnapshot) -> Iterator[Finding]:
    limit, unreserved = snapshot.concurrency()
    yield from controller.concurrency(limit, unreserved)


def _dry_run(snapshot: PlanSnapshot) -> Iterator[Finding]:
    limit = float(os.environ.get("DRY_RUN_MAX_AGE_SECONDS", DRY_RUN_MAX_AGE_S))
    plan = snapshot.plan.name
    last = load_dry_run(snapshot.book, plan)
    yield from controller.last_dry_run(plan, last, standby=snapshot.standby, max_age_s=limit, now=snapshot.now)


def _rescue(snapshot: PlanSnapshot) -> Iterator[Finding]:
    rescue = snapshot.plan.rescue
    if rescue is None:
        yield ok("the plan rescues nothing: a site with stranded records will not be restored")
        return
    yield from rescues.bucket(rescue, look_at_bucket(rescue, snapshot.plan.name))
    if rescue.recovery_topic is not None:
        topics = {site: {topic.name for topic in snapshot.topics(site)} for site in snapshot.plan.sites}
        mirrors = {mirror.topic for mirror in snapshot.mirrors()}
        yield from rescues.recovery_topic(rescue.recovery_topic, topics, mirrors)


def _hooks(snapshot: PlanSnapshot) -> Iterator[Finding]:
    yield from of_hooks.hooks(snapshot.plan, snapshot.active)


def _practice(snapshot: PlanSnapshot) -> Iterator[Finding]:
    plan = snapshot.plan
    yield from last_practice(load_practice(snapshot.book, plan.name), plan.policy.practice_max_age_days, snapshot.now)


CHECKS: Final[Mapping[str, Callable[[PlanSnapshot], Iterable[Finding]]]] = {
    "plan": _plan,
    "detection": _detection,
    "links": _links,
    "link-tasks": _tasks,
    "link-configs": _link_configs,
    "way-back": _way_back,
    "mirror-coverage": _coverage,
    "mirror-health": _health,
    "mirror-lag": _lag,
    "group-offsets": group_offsets,
    "group-protocols": protocols,
    "leader-epochs": epochs,
    "acls": _acls,
    "schemas": beside.schemas,
    "connectors": beside.connectors,
    "role-bindings": beside.role_bindings,
    "promotion": _promotion,
    "roles": lambda snapshot: of_roles.roles(snapshot.plan),
    "secrets": _secrets,
    "clients": _clients,
    "canary-topic": _canary,
    "fleet-routes": of_fleets.routes,
    "fleet-capacity": of_fleets.capacity,
    "fleet-size": of_fleets.sizes,
    "fleet-instances": of_fleets.instances,
    "client-name": _client_name,
    controller.LEASE: _lease,
    "dry-run": _dry_run,
    "concurrency": _concurrency,
    "quotas": quotas,
    "rescue": _rescue,
    "hooks": _hooks,
    "practice": _practice,
}
