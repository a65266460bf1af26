"""What is seen of a plan for one round of checks: each thing is read once, by whoever asks first.

Checks run side by side and share what they look at; an error is told to every one of them that asked.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

from failover.aws.clients import client
from failover.aws.errors import AWS_ERRORS, aws_errors
from failover.detection.alarm_recheck import describe_alarms
from failover.dns import NameState, client_name_of
from failover.errors import Obstacle, ServiceRejected, ServiceUnavailable
from failover.execution.runs import Ended, ended_holder
from failover.fleets import Fleet, FleetState, Instance, fleet_of
from failover.ledger.ledger import Ledger
from failover.ledger.records import ExecutionRecord, PlanState
from failover.ledger.topic_tables import load_plan_table
from failover.link import LinkFacts, Mirror, Topic
from failover.link.factory import cluster_at, links_at
from failover.loss.samples import SourceLiveness
from failover.plan.model import Plan
from failover.readiness.detection import CloudWatchAlarm, CloudWatchAlarms

Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")
_FARGATE_VCPU: Final = "L-3032A538"
"""Fargate On-Demand vCPU resource count."""
_CPU_UNITS: Final = 1024
"""Of a vCPU."""


def _memoized(
    look: Callable[Concatenate[PlanSnapshot, Arguments], Answer],
) -> Callable[Concatenate[PlanSnapshot, Arguments], Answer]:
    """The look is taken by whoever asks first; who asks meanwhile waits for it."""

    @functools.wraps(look)
    def memoized(snapshot: PlanSnapshot, /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Answer:
        mine, future = snapshot.claimed((look.__name__, *args))
        if mine:
            try:
                future.set_result(look(snapshot, *args, **kwargs))
            except BaseException as error:
                future.set_exception(error)
        result: Answer = future.result()
        return result

    return memoized


class PlanSnapshot:
    """The looks at one plan. `now`: seconds since 1970. Each method raises what reading raises."""

    def __init__(self, plan: Plan, book: Ledger, now: float) -> None:
        self.plan = plan
        self.book = book
        self.now = now
        self._futures: dict[tuple[Any, ...], Future[Any]] = {}
        self._lock = threading.Lock()

    def claimed(self, what: tuple[Any, ...]) -> tuple[bool, Future[Any]]:
        """The future of a look, and whether it is the caller who has to take it."""
        with self._lock:
            mine = what not in self._futures
            return mine, self._futures.setdefault(what, Future())

    @_memoized
    def state(self) -> PlanState:
        """Where the plan stands."""
        return self.book.state(self.plan.name, self.plan.home)

    @property
    def active(self) -> str:
        """The active site's name."""
        return self.state().active

    @property
    def standby(self) -> str:
        """The standby's name."""
        return self.plan.other(self.active)

    @_memoized
    def holder(self) -> ExecutionRecord | None:
        """What the ledger keeps of the execution that holds the lease."""
        name = self.state().holder
        return self.book.execution(self.plan.name, name) if name else None

    @_memoized
    def ended(self) -> Ended | None:
        """What Step Functions says of a holder of the lease that runs no more."""
        return ended_holder(self.state())

    def cluster_id(self, site: str) -> str:
        """The id of a site's cluster, as the plan has it."""
        return self.plan.site(site).kafka.cluster_id

    @_memoized
    def link(self, site: str, name: str) -> LinkFacts:
        """A link as a site's cluster sees it."""
        return next(link for link in links_at(self.plan, site) if link.name == name).facts()

    @_memoized
    def configs(self, site: str, name: str) -> dict[str, str | None]:
        """A link's configuration at a site's cluster."""
        return next(link for link in links_at(self.plan, site) if link.name == name).configs()

    @_memoized
    def mirrors_by_link(self) -> dict[str, list[Mirror]]:
        """Every mirror on the standby, by link."""
        return {link.name: link.mirrors() for link in links_at(self.plan, self.standby)}

    def mirrors(self) -> list[Mirror]:
        """Every mirror on the standby."""
        return [mirror for of_link in self.mirrors_by_link().values() for mirror in of_link]

    @_memoized
    def topics(self, site: str) -> list[Topic]:
        """Every topic of a site's cluster."""
        return cluster_at(self.plan, site).topics()

    @_memoized
    def watch(self) -> SourceLiveness:
        """When lag was last sampled, and whether its source answered."""
        return SourceLiveness(**load_plan_table(self.book, self.plan.name, "watch").get(self.active, {}))

    @_memoized
    def concurrency(self) -> tuple[int, int]:
        """How many calls of functions the account may have at a time in this region, and how many nobody reserved."""
        with aws_errors("Lambda, for the account's concurrency", transient=ServiceUnavailable, final=ServiceRejected):
            limit = client("lambda", attempts=1).get_account_settings()["AccountLimit"]
        return limit["ConcurrentExecutions"], limit["UnreservedConcurrentExecutions"]

    @_memoized
    def fargate_limit(self, where: str) -> float:
        """How many vCPU the account of a location's fleets may have on Fargate in its region."""
        at = self.plan.location(where)
        what = f"Service Quotas in {at.region}, for vCPU on Fargate"
        with aws_errors(what, transient=ServiceUnavailable, final=ServiceRejected):
            quotas = client("service-quotas", at.region, attempts=1, role=at.role)
            return quotas.get_service_quota(ServiceCode="fargate", QuotaCode=_FARGATE_VCPU)["Quota"]["Value"]

    @_memoized
    def vcpu_on_fargate(self, where: str, task_definition: str) -> float:
        """How many vCPU a task of that definition takes of that; 0 if it can't run there."""
        at = self.plan.location(where)
        what = f"ECS in {at.region}, for {task_definition}"
        with aws_errors(what, transient=ServiceUnavailable, final=ServiceRejected):
            ecs = client("ecs", at.region, attempts=1, role=at.role)
            definition = ecs.describe_task_definition(taskDefinition=task_definition)["taskDefinition"]
        if "FARGATE" not in definition.get("requiresCompatibilities", []):
            return 0.0
        return int(definition.get("cpu", "0")) / _CPU_UNITS

    @_memoized
    def health_checks(self) -> tuple[int, int]:
        """How many health checks the account has at Route 53, and may have."""
        with aws_errors("Route 53, for the account's limits", transient=ServiceUnavailable, final=ServiceRejected):
            answer = client("route53", attempts=1).get_account_limit(Type="MAX_HEALTH_CHECKS_BY_OWNER")
        return answer["Count"], answer["Limit"]["Value"]

    @_memoized
    def roles(self) -> tuple[int, int]:
        """How many roles the account has, and may have."""
        with aws_errors("IAM, for the account's roles", transient=ServiceUnavailable, final=ServiceRejected):
            counts = client("iam", attempts=1).get_account_summary()["SummaryMap"]
        return counts.get("Roles", 0), counts.get("RolesQuota", 0)

    @_memoized
    def alarms(self) -> CloudWatchAlarms:
        """The plan's alarms, in every region where they may live."""
        by_name: dict[str, tuple[CloudWatchAlarm, ...]] = {}
        unreadable_regions: dict[str, str] = {}
        for region, names in sorted(self.plan.alarms_by_region.items()):
            try:
                described = describe_alarms(region, names)
            except AWS_ERRORS as error:
                unreadable_regions[region] = type(error).__name__
                continue
            for name, alarm_there in described.items():
                reading = CloudWatchAlarm(
                    region=region,
                    state=alarm_there["StateValue"],
                    actions_enabled=alarm_there.get("ActionsEnabled", True),
                )
                by_name[name] = (*by_name.get(name, ()), reading)
        return CloudWatchAlarms(by_name, unreadable_regions)

    @_memoized
    def fleet(self, site: str, name: str) -> FleetState:
        """A fleet of a location."""
        return self._fleet(site, name).look()

    def fleet_obstacles(self, site: str, name: str) -> list[Obstacle]:
        """What would keep a fleet from being routed."""
        return self._fleet(site, name).obstacles()

    def _fleet(self, site: str, name: str) -> Fleet:
        at = self.plan.location(site)
        described = next(fleet for fleet in at.fleets if fleet.name == name)
        return fleet_of(described, at.region, at.role)

    def instances(self, site: str) -> tuple[Instance, ...]:
        """Every healthy instance of a location's fleets."""
        return tuple(i for fleet in self.plan.location(site).fleets for i in self.fleet(site, fleet.name).instances)

    @_memoized
    def client_name(self) -> NameState | None:
        """Where the client hostname leads, and what name servers answer; None if there is no name to flip."""
        name = client_name_of(self.plan)
        return name.look(None) if name else None

    @_memoized
    def name_obstacles(self) -> list[Obstacle]:
        """What would keep the name from being flipped."""
        name = client_name_of(self.plan)
        return name.obstacles(self.active) if name else []
