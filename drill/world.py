"""The drill's world: two sites, the AWS account of the controller, the network between clients and sites.

The controller in it is the one that is deployed: the SAM template's functions, state machines, table, rules and alarms.
Everything else is a process of its own, so that a site can be lost by killing its processes.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict
from functools import cached_property, partial
from typing import Any, Self

import boto3
import psutil
from botocore.config import Config

from drill import fixture_plan, stacks
from drill.both_ways import introduce
from drill.client_name import hold_name
from drill.cloud_process import cloud_config
from drill.deployment import deploy_health_checks, deploy_plan
from drill.fixture_plan import HOME, NEAR, REGIONS, STANDBY
from drill.fleets import Fleets
from drill.fleets.cfk import CfkFleets
from drill.fleets.ecs import EcsBlueGreenFleets, EcsFleets
from drill.loss import LossKind, SiteParts, lose
from drill.name_watch import NameWatch
from drill.neighbours.world import Neighbours
from drill.network.plain_http import plain
from drill.operator_access import controller_file
from drill.ports import release_ports, reserved_ports
from drill.process import Child, failure_of, spawn
from drill.site_processes import PORTS, await_end, balancer_config, cluster_config, rest_config
from drill.world_settings import Settings

SITES = (HOME, STANDBY)
UP_TIMEOUT_S = 120.0


class WorldNotUp(RuntimeError):
    """A part of the world did not come up in time."""


class World:
    """A world, from `with` to its end; every process of it ends with it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.logs = settings.directory / "logs"
        self._cleanup = ExitStack()
        self._clusters: dict[str, Child] = {}
        self._rest: dict[str, Child] = {}
        self._balancers: dict[str, Child] = {}
        self.neighbours = Neighbours(settings.plans, settings.directory / "neighbours") if settings.plans > 1 else None
        self.lost_at: dict[str, float] = {}
        self.up_seconds = 0.0

    def __enter__(self) -> Self:
        started = time.monotonic()
        try:
            self._start()
        except BaseException as error:
            ended = failure_of((*self._clusters.values(), *self._rest.values(), *self._balancers.values()))
            self._cleanup.close()
            raise ended or error  # noqa: B904 - what was asked in vain stands above it as its context
        self.up_seconds = time.monotonic() - started
        outputs = self.cloud.ready["outputs"]
        self._cleanup.enter_context(controller_file(self.settings.directory, self.endpoint, outputs))
        return self

    def __exit__(self, *_: object) -> None:
        self._cleanup.close()

    # What the world is made of, in the order it comes up.

    def _start(self) -> None:
        self.edge_port = reserved_ports(PORTS, self.settings.host.listen)
        self._cleanup.callback(release_ports, self.edge_port, PORTS)
        with ThreadPoolExecutor(max_workers=6) as pool:
            cloud = pool.submit(self._start_cloud_after_balancers, pool)
            clusters = {site: pool.submit(self._start_cluster, site) for site in SITES}
            self._clusters = {site: started.result() for site, started in clusters.items()}
            rest = {site: pool.submit(self._start_rest, site) for site in SITES}
            self._rest = {site: started.result() for site, started in rest.items()}
            introduce(self._clusters, self._rest)
            self.cloud = cloud.result()
        self.settings.say("AWS account and both clusters are up")
        self.zone_id = self._create_zone()
        near = (self.settings.host.listen, self._balancer_ports[NEAR]) if NEAR in self._balancers else None
        dns_fields = hold_name(self.settings.name, self.aws, self.zone_id, self.endpoint, near=near)
        zone = {"aws_endpoint": self.endpoint, "zone_id": self.zone_id}
        zone |= {"records_url": f"{self.endpoint}/drill/name-servers"}
        self.dns = self._spawn("drill.network.dns_server", zone | self._host, "dns")
        self.nameserver = f"{self.settings.host.listen}:{self.dns.ready['port']}"
        self.edge = self._spawn("drill.network.edge", self._edge_config() | self._host, "edge")
        self.plan = (
            self._plan()
            | self.settings.plan_fields
            | {"dns": dns_fields | {"nameservers": [self._advertised(self.dns.ready["port"])]}}
        )
        self.fleets.deploy(self.plan, {place: balancer.ready["admin"] for place, balancer in self._balancers.items()})
        deploy_plan(
            self.aws,
            self.plan,
            self.settings.controllers,
            own_plans_at_third=self.settings.own_plans_at_third,
        )
        if self.neighbours:
            self.neighbours.start(self._spawn, self.nameserver, self.settings.timing.promotion_s)
            self.neighbours.deploy(self.aws, self.zone_id, self.nameserver)
        deploy_health_checks(self.aws, self.settings.host.listen, self._balancer_ports)
        other_eyes = self.resource("WatchSite", stacks.SIGNALS)
        names = "&".join(f"function={name}" for name in (*map(self.resource, stacks.ON_THE_WAY), other_eyes))
        self._post(f"/drill/warm?{names}")
        if self.settings.watch:
            self._post("/drill/schedules/start")
        self._wait_for("the fleets serve", self._fleets_serve)
        self._wait_for(f"the client hostname leads to {HOME}", self._name_leads_home)
        self.settings.say("gateway fleets, DNS and controller are up")

    def _start_cloud_after_balancers(self, pool: ThreadPoolExecutor) -> Child:
        balancers = {place: pool.submit(self._start_balancer, place) for place in self.settings.gateway_places}
        self._balancers = {site: started.result() for site, started in balancers.items()}
        return self._spawn("drill.aws.cloud", self._cloud_config() | self._host, "cloud")

    def _start_cluster(self, site: str, before: Child | None = None) -> Child:
        config = cluster_config(self.settings, site, before)
        return self._spawn("drill.kafka.cluster", config | self._host, f"kafka-{site}")

    def _start_balancer(self, site: str, before: Child | None = None) -> Child:
        config = balancer_config(self.settings, site, before)
        return self._spawn("drill.network.balancer", config | self._host, f"balancer-{site}")

    def _start_rest(self, site: str, before: Child | None = None) -> Child:
        config = rest_config(self.settings, site, self._clusters, before)
        return self._spawn("drill.confluent.cluster_rest", config | self._host, f"rest-{site}")

    def _cloud_config(self) -> dict[str, Any]:
        config = cloud_config(self.settings, self.logs)
        return config if self.neighbours is None else config | self.neighbours.cloud_config

    def _edge_config(self) -> dict[str, Any]:
        return {
            "hostname": fixture_plan.HOSTNAME,
            "dns": self.nameserver,
            "listen_ports": PORTS,
            "targets": {f"{fixture_plan.dns_target(site)}.": port for site, port in self._balancer_ports.items()},
            "fixed_port": self.edge_port,
            "resolver": self.settings.resolver,
        }

    def _create_zone(self) -> str:
        zone = self.aws("route53").create_hosted_zone(Name=fixture_plan.ZONE, CallerReference=str(time.time()))
        return str(zone["HostedZone"]["Id"]).rsplit("/", 1)[-1]

    def _plan(self) -> dict[str, Any]:
        return fixture_plan.plan_document(
            {site: self.addresses(site) for site in SITES},
            client_bootstrap=self.client_bootstrap,
            vantage_points=stacks.vantage_regions(self.settings.controllers),
            anchors=[self.endpoint.removeprefix("http://")],
            nameserver=self._advertised(self.dns.ready["port"]),
            zone_id=self.zone_id,
            policy=self.settings.policy,
            topics=self.settings.topics,
            groups=self.settings.groups,
            fleet=self.fleets.in_plan,
            near=self._balancer_of(NEAR),
        )

    def addresses(self, site: str) -> fixture_plan.SiteAddresses:
        """Where a site can be reached."""
        cluster = self._clusters[site].ready
        return fixture_plan.SiteAddresses(
            cluster_id=cluster["cluster_id"],
            bootstrap=cluster["bootstrap"],
            rest=self._rest[site].ready["url"],
            balancer=self._balancer_of(site),
        )

    def _balancer_of(self, place: str) -> str:
        return self._advertised(self._balancer_ports[place]) if place in self._balancers else ""

    def _name_leads_home(self) -> bool:
        """A health check that is inverted fails until checkers have found that it does not."""
        return NameWatch(fixture_plan.HOSTNAME, self.nameserver).ask() == self.settings.first_target

    def _fleets_serve(self) -> bool:
        for balancer in self._balancers.values():
            targets = plain.get(f"{balancer.ready['admin']}/targets").json()["targets"]
            if len(targets) < self.fleets.size:
                return False
        return True

    # What a rehearsal does to the world, and asks of it.

    @cached_property
    def fleets(self) -> Fleets:
        """The gateway fleets."""
        if self.settings.fleet == "cfk":
            extra = self.settings.fleet_fields, self.settings.kubernetes
            return CfkFleets(self._spawn, self.settings.instances, self.logs, *extra)
        if self.settings.fleet == "ecs-blue-green":
            return EcsBlueGreenFleets(self.aws, self.settings.instances, self._post)
        return EcsFleets(partial(self.aws, "ecs"), self.settings.instances, self._post)

    @cached_property
    def endpoint(self) -> str:
        """Where the AWS account answers."""
        return str(self.cloud.ready["endpoint"])

    @property
    def client_bootstrap(self) -> str:
        """What a client's bootstrap.servers is."""
        return self._advertised(self.edge_port)

    @property
    def _balancer_ports(self) -> dict[str, int]:
        return {site: balancer.ready["port"] for site, balancer in self._balancers.items()}

    @cached_property
    def _host(self) -> dict[str, Any]:
        return {"host": asdict(self.settings.host)}

    def _advertised(self, port: int) -> str:
        return f"{self.settings.host.advertised}:{port}"

    def aws(self, service: str, region: str = REGIONS[STANDBY]) -> Any:
        """A boto3 client of the world's AWS account."""
        return boto3.client(  # type: ignore[call-overload]
            service,
            region_name=region,
            endpoint_url=self.endpoint,
            aws_access_key_id=fixture_plan.ACCOUNT,
            aws_secret_access_key="drill",
            config=Config(connect_timeout=2, read_timeout=10, retries={"total_max_attempts": 2}),
        )

    def lose(self, site: str, kind: LossKind = LossKind.LOUD) -> float:
        """Lose a site, for good. When: seconds since 1970."""
        parts = SiteParts(
            kafka=(self._clusters[site], self._rest[site]),
            neighbours=self.neighbours.processes(site) if self.neighbours else (),
            fleets=self.fleets.processes(site),
            balancer=self._balancer_processes(site),
            region=f"/drill/regions/{REGIONS[site]}/lose",
        )
        self.lost_at[site] = lose(parts, kind, self._post, self._spawn)
        return self.lost_at[site]

    def lose_cluster(self, site: str) -> None:
        """Kill the site's Kafka cluster and its REST API; its gateways and its region's AWS stay."""
        self._clusters[site].kill()
        self._rest[site].kill()

    def hang_cluster(self, site: str) -> None:
        """Stop the site's Kafka cluster and its REST API in their tracks: connections stay, nothing is answered."""
        for child in (self._clusters[site], self._rest[site]):
            child.signal(signal.SIGSTOP)

    def cluster(self, site: str) -> dict[str, Any]:
        """What a site's Kafka cluster announced."""
        return self._clusters[site].ready

    def lose_service(self, service: str) -> None:
        """Lose one of AWS's services everywhere, by its signing name; what it had set up stays."""
        self._post(f"/drill/services/{service}/lose")

    def freeze(self, site: str) -> None:
        """Stop everything of a site in its tracks, and lose its region's AWS: a loss that it can come back from."""
        processes = self._processes(site)
        self._spawn(
            "drill.stopped_processes", {"pids": [pid for child in processes for pid in child.pids]}, "stopped-processes"
        )
        for child in processes:
            child.signal(signal.SIGSTOP)
        self._post(f"/drill/regions/{REGIONS[site]}/lose")

    def thaw(self, site: str) -> None:
        """Let a frozen site go on where it was."""
        self._post(f"/drill/regions/{REGIONS[site]}/restore")
        for child in self._processes(site):
            child.signal(signal.SIGCONT)

    def kill(self, site: str) -> None:
        """Kill everything of a site, and lose its region's AWS: a loss that it can come back from, if its cluster keeps
        its log."""
        processes = self._processes(site)
        for child in processes:
            child.signal(signal.SIGKILL)
        self._post(f"/drill/regions/{REGIONS[site]}/lose")
        for child in processes:
            await_end(child)

    def start_again(self, site: str) -> None:
        """Let a killed site go on with the log that it kept, where it was."""
        self._clusters[site] = self._start_cluster(site, self._clusters[site])
        self._rest[site] = self._start_rest(site, self._rest[site])
        introduce(self._clusters, self._rest)
        if site in self._balancers:
            self._balancers[site] = self._start_balancer(site, self._balancers[site])
        self._post(f"/drill/regions/{REGIONS[site]}/restore")

    def _processes(self, site: str) -> tuple[Child, ...]:
        return self._clusters[site], self._rest[site], *self.fleets.processes(site), *self._balancer_processes(site)

    def _balancer_processes(self, site: str) -> tuple[Child, ...]:
        return (self._balancers[site],) if site in self._balancers else ()

    def rest_control(self, site: str) -> str:
        """Where the drill reaches the REST API's stand-in of a site, to trouble it."""
        return str(self._rest[site].ready["control"])

    def resource(self, logical_id: str, stack: str = stacks.CONTROLLER) -> str:
        """What `!Ref` gives for a resource of the template, or of another stack's."""
        of = self.cloud.ready if stack == stacks.CONTROLLER else self.cloud.ready["stacks"][stack]
        return str(of["resources"][logical_id]["ref"])

    def functions(self) -> dict[str, str]:
        """The names of the controller's functions, by logical id."""
        made = self.cloud.ready["resources"].items()
        return {name: resource["ref"] for name, resource in made if resource["type"] == "AWS::Serverless::Function"}

    @property
    def ledger_table(self) -> str:
        """The name of the controller's ledger, or of both controllers'."""
        return str(self.cloud.ready["outputs"]["LedgerTable"])

    def promoted(self, site: str = STANDBY) -> dict[str, dict[str, int]]:
        """Each mirror's log end offsets at the moment it was made writable."""
        return dict(plain.get(f"{self._rest[site].ready['control']}/promoted").json())

    def events(self) -> list[dict[str, Any]]:
        """Every event EventBridge has seen, with `at`, when it arrived, in seconds since 1970."""
        return list(plain.get(f"{self.endpoint}/drill/events").json())

    def name_changes(self, after: float) -> list[dict[str, Any]]:
        """Each change of names since then: `at`, its `names`, and in how many `seconds` it is in sync."""
        changes = plain.get(f"{self.endpoint}/drill/name-changes").json()
        return [change for change in changes if change["at"] >= after]

    def alive(self, site: str) -> dict[str, bool]:
        """Which parts of a site run."""
        return {part: _runs(child) for part, child in self._parts(site).items()}

    def ended_parts(self) -> list[str]:
        """Parts of sites that are gone; a loss that was asked for only stops them in their tracks."""
        return [f"{part} of {site}" for site in SITES for part, child in self._parts(site).items() if not child.alive]

    def _parts(self, site: str) -> dict[str, Child]:
        names = ("kafka", "rest", "gateway")
        return dict(zip(names, (self._clusters[site], self._rest[site], *self._balancer_processes(site)), strict=False))

    def spawn(self, module: str, config: dict[str, Any], name: str, *, python: str = sys.executable) -> Child:
        """Start another process in this world, a client for example."""
        return self._spawn(module, config, name, python=python)

    def _spawn(self, module: str, config: dict[str, Any], name: str, *, python: str = sys.executable) -> Child:
        child = spawn(module, config, log=self.logs / f"{name}.log", env=_quiet_environment(), python=python)
        self._cleanup.callback(child.stop)
        return child

    def _post(self, path: str) -> Any:
        answer = plain.post(f"{self.endpoint}{path}", timeout=UP_TIMEOUT_S).raise_for_status()
        return answer.json() if answer.content else None

    def _wait_for(self, what: str, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + UP_TIMEOUT_S
        while not condition():
            if time.monotonic() > deadline:
                raise WorldNotUp(f"not within {UP_TIMEOUT_S:.0f} s: {what}; see {self.logs}")
            time.sleep(0.05)


def _runs(child: Child) -> bool:
    """Whether a process is there, and not stopped in its tracks."""
    return child.alive and psutil.Process(child.pid).status() != psutil.STATUS_STOPPED


def _quiet_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
