"""Many plans in one account: each has sites, clusters, fleets and a name of its own; the controller, the ledger and
what AWS takes a second they share."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import dns.message

from drill.aws.limits import ROUTE53, Rate
from simulation import keys
from simulation.aws.ecs import Ecs
from simulation.aws.errors import NotSimulated
from simulation.calls import Door
from simulation.deployment import Deployment
from simulation.functions import Handler
from simulation.region_loss.limits import Limits
from simulation.region_loss.route53 import Route53
from simulation.regions import REGION
from simulation.sites import SERVICES, SITES, Sites
from simulation.wire import kafka, network, rest
from simulation.world import PLAN, World

_NUMBER: Final = re.compile(r"-(\d{3})\b")
_ADDRESS: Final = re.compile(r"10\.(\d+)\.")
LAMBDAS_AT_ONCE: Final = 100


def plan_name(number: int) -> str:
    """Of the plan of that number; the first is the example's."""
    return f"{PLAN}-{number:03}" if number else PLAN


def plan_text(text: str, number: int, zone: str) -> str:
    """The example's plan with names of its own."""
    if number:
        suffix = f"-{number:03}"
        text = re.sub(r"\borders\b", f"orders{suffix}", text)
        text = re.sub(r"\b(pkc-(?:east|west)01)\b", rf"\1{suffix}", text)
        text = re.sub(r"(cluster: gateways)\b", rf"\1{suffix}", text)
    return text.replace("Z0123456789ORDERS", zone)


@dataclass(frozen=True, kw_only=True)
class PlanWorld:
    """What a plan has of its own."""

    sites: Sites
    ecs: Ecs
    network: network.Network
    kafka: kafka.Kafka


class ManyPlans(World):
    """The world of many plans. `zones`: the hosted zone of each."""

    def __init__(
        self,
        seed: str,
        deployed: Deployment,
        handlers: Mapping[str, Handler],
        text: str,
        *,
        zones: list[str],
        route53: Rate = ROUTE53,
        lambdas_at_once: int = LAMBDAS_AT_ONCE,
    ) -> None:
        super().__init__(seed, deployed, handlers, plan_text(text, 0, zones[0]), clocks_ahead={REGION: 0.0})
        first = PlanWorld(sites=self.sites, ecs=self.account.ecs, network=self.network, kafka=self.kafka)
        self.plans: dict[int, PlanWorld] = {0: first}
        for number in range(1, len(zones)):
            self.plans[number] = self._plan_world(number)
            name = plan_name(number)
            self.account.put_plan(name, plan_text(text, number, zones[number]))
            self.account.secrets |= {f"failover/{name}/{of}": json.dumps(fields) for of, fields in keys.FIRST.items()}
        hostnames = {plan.sites.hostname: plan.sites for plan in self.plans.values()}
        self.route53 = Route53(self.scheduler, hostnames, self._moved)
        self.limits = Limits(self.scheduler, route53)
        for plan in self.plans.values():
            plan.sites.launches_after = self.limits.launches.wait_for_one
        self.network = _Networks(self)
        self.functions.at_once = lambdas_at_once

    def _plan_world(self, number: int) -> PlanWorld:
        sites = Sites(self.scheduler, self._moved, plan=plan_name(number), addresses=f"10.{number}")
        make = self.calls.make
        behind = rest.Rest(self.scheduler, sites, self.keys, self.make, self.tell)
        for site, region in SITES.items():
            self.http[f"pkc-{site}01-{number:03}.{region}.aws.confluent.cloud"] = behind.send
        return PlanWorld(
            sites=sites,
            ecs=Ecs(self.scheduler, sites, self.tell),
            network=network.Network(self.scheduler, sites, make),
            kafka=kafka.Kafka(self.scheduler, sites, self.keys, make),
        )

    def plan_at(self, where: str) -> PlanWorld:
        """The plan whose this host, or ECS cluster, is."""
        named = _NUMBER.search(where) or _ADDRESS.match(where)
        return self.plans[int(named[1]) if named else 0]

    def lose(self, site: str) -> None:
        """All of that site of every plan is silent from now on, its region's control plane, too."""
        for plan in self.plans.values():
            lost = plan.sites.sites[site]
            lost.up |= dict.fromkeys((*SERVICES, "control"), False)
            lost.silent = True

    def brokers(self, settings: Mapping[str, Any]) -> kafka.Kafka:
        """Those that a client of these settings comes to."""
        return self.plan_at(str(settings["bootstrap.servers"])).kafka

    def send(self, service: str, region: str, operation: str, request: Mapping[str, Any], how: Door) -> dict[str, Any]:
        """A call to AWS; ECS and Route 53 know each plan's own, and take so much a second."""
        if service == "elbv2":
            raise NotSimulated(f"{service} {operation}")
        if service not in ("ecs", "route53") or self._is_lost(region):
            return super().send(service, region, operation, request, how)

        def effect() -> dict[str, Any]:
            self.limits.check(service, region, operation)
            if service == "route53":
                return self.route53.call(operation, dict(request))
            return self.plan_at(str(request["cluster"])).ecs.call(region, operation, dict(request))

        answer: dict[str, Any] = self.make(service, operation, effect, how)
        return answer


class _Networks(network.Network):
    """Sockets and DNS of every plan."""

    def __init__(self, world: ManyPlans) -> None:
        super().__init__(world.scheduler, world.sites, world.calls.make)
        self._world = world

    def connect(self, host: str, port: int, timeout: float) -> Any:
        """Connect to an address."""
        return self._world.plan_at(host).network.connect(host, port, timeout)

    def ask(self, question: dns.message.Message) -> dns.message.Message:
        """What a name server answers."""
        return self._world.plan_at(str(question.question[0].name)).network.ask(question)
