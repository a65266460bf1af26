"""A rehearsal: the world comes up, clients work, a site is lost, and what the clients saw is measured."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial

from confluent_kafka.admin import AdminClient

from drill import fixture_plan
from drill.clients.pairs import RECOMMENDED, SPECS, Pair, PairSpec, await_consumption, read_topics
from drill.clients.read_log import ClusterLog
from drill.confluent.kafka_topics import ensure_topics
from drill.engines import kafka, kroxylicious
from drill.fixture_plan import HOME, STANDBY
from drill.ledger_reader import ControllerAccount, Execution
from drill.live_view import LiveView
from drill.loss import LossKind
from drill.memory import PeakMemory
from drill.milestones import Findings, run_of, words_of_loss
from drill.name_watch import NameWatch
from drill.neighbours.ends import plans_of
from drill.pair_accounts import PairAccount, accounts
from drill.record_accounting import Account
from drill.report import Report, report_of, wording
from drill.report.model import Plans
from drill.sam_local.functions import STAY, containers, move, ran_in
from drill.scenarios import Scenario
from drill.terminal import View
from drill.timing import TIMINGS, TimingName
from drill.world import World
from drill.world_settings import Settings

FRAME_S = 0.15
FIRST_RECORDS_S = 60.0
DRY_RUN_S = 120.0
PLANS_EVERY_S = 1.0
IN_CONTAINERS = 6.0
"""How much longer everything may take where functions run in containers."""
AS_ON_AWS = 3.0
"""How much longer where all takes its time as on AWS."""


class RehearsalFailed(RuntimeError):
    """The rehearsal could not be carried out as its scenario says."""


class Rehearsal:
    """One run of a scenario, to its report."""

    def __init__(
        self,
        scenario: Scenario,
        settings: Settings,
        view: View,
        *,
        loss: LossKind = LossKind.LOUD,
        timing: TimingName = TimingName.DRILL,
        in_containers: bool = False,
        more_pairs: Sequence[PairSpec] = (),
    ) -> None:
        """`in_containers`: the functions run in the SAM CLI's containers, and every limit is that much longer.
        `more_pairs`: clients that work beside those whose figures are the report's own; they need not come back.
        Newcomers among them begin when the failover is over, and have no row where it never is."""
        self._scenario = scenario
        self._loss = loss
        self._timing = timing
        self._in_containers = in_containers
        self._patience = IN_CONTAINERS if in_containers else AS_ON_AWS if timing is TimingName.AWS else 1.0
        specs = (*SPECS, *more_pairs)
        self._topics = list(dict.fromkeys(topic for spec in specs if spec.mirrored for topic in spec.topics))
        self._topics_apart = [topic for spec in specs if not spec.mirrored for topic in spec.topics]
        groups = [spec.group for spec in specs if spec.mirrored and not spec.newcomer]
        self._settings = replace(settings, topics=self._topics, groups=groups, timing=TIMINGS[timing])
        self._logs = settings.directory / "logs"
        self._pairs = [Pair(spec, self._logs) for spec in specs if not spec.newcomer]
        self._newcomers = [Pair(spec, self._logs) for spec in specs if spec.newcomer]
        headline = next(pair for pair in self._pairs if pair.spec is RECOMMENDED)
        self._live = LiveView(scenario.name, view, headline.traffic)

    def run(self) -> Report:
        """Rehearse, and report what was measured.

        Raises:
            RehearsalFailed, ChildFailed, WorldNotUp: if it did not get as far as the loss.
        """
        started = time.time()
        self._live.show()
        with PeakMemory() as memory, World(self._settings) as world, ExitStack() as clients:
            self._live.say(f"the world is up after {world.up_seconds:.1f} s")
            watch = clients.enter_context(NameWatch(fixture_plan.HOSTNAME, world.nameserver))
            controller = ControllerAccount(world.aws("dynamodb"), world.ledger_table)
            show = partial(self._show, world, controller, watch)
            if self._in_containers:
                self._move_functions(world, clients)
            self._start_clients(world, show)
            self._look_ahead(world)
            self._walk_dry(world, show)
            self._go_on(self._scenario.traffic_before_s, "clients work on the active site", show)
            killed_at = self._lose(world)
            self._await_recovery(world, controller, show)
            self._go_on(self._scenario.traffic_after_s, "clients work on the standby", show)
            self._live.phase = "counting, record by record"
            show()
            self._end_clients()
            plans = self._await_other_plans(world, killed_at, show)
            failover = controller.failover()
            findings = Findings(
                started_at=started,
                world_up_s=world.up_seconds,
                peak_memory_mb=memory.peak_mb,
                killed_at=killed_at,
                events=world.events(),
                name_flipped_at=self._name_led_at(watch, failover, killed_at),
                execution=failover,
                loss_table=controller.loss_table(failover.name) if failover else {},
                settings={
                    f"{pair.name} {role}": settings for pair in self._pairs for role, settings in pair.settings.items()
                },
                timing=self._timing,
                names_in_sync=[
                    change["seconds"]
                    for change in world.name_changes(killed_at)
                    if fixture_plan.HOSTNAME in change["names"]
                ],
                resolver=self._settings.resolver,
                clusters=kafka.version() if self._settings.kafka == "apache" else None,
                gateways=kroxylicious.version() if self._settings.gateway == "kroxylicious" else None,
                plans=plans,
                ran_in=ran_in(world, killed_at) if self._in_containers else {},
            )
            counted, of_pairs = self._count(findings, self._read_standby(world), self._promoted(world))
        return report_of(run_of(self._scenario, self._loss, findings, RECOMMENDED.rate), counted, of_pairs)

    def _name_led_at(self, watch: NameWatch, failover: Execution | None, killed_at: float) -> float | None:
        """When the name first led to the standby's gateways; where nothing is flipped, when it was seen to lead to
        gateways that serve."""
        if self._settings.gateways == "sites":
            return watch.first_led_to(fixture_plan.dns_target(STANDBY), killed_at)
        return failover.done_at("flip_dns") if failover else None

    def _show(self, world: World, controller: ControllerAccount, watch: NameWatch) -> None:
        for pair in self._pairs:
            pair.traffic.read()
        self._live.show(world, controller, watch)

    def _start_clients(self, world: World, show: Callable[[], None]) -> None:
        if self._topics_apart:
            admin = AdminClient({"bootstrap.servers": world.cluster(STANDBY)["raw_bootstrap"]})
            ensure_topics(admin, dict.fromkeys(self._topics_apart, fixture_plan.PARTITIONS))
        for pair in self._pairs:
            pair.start_writing(world)

        def all_write() -> bool:
            return all(pair.traffic.acknowledged(time.time()).now > 0 for pair in self._pairs)

        self._until(all_write, FIRST_RECORDS_S, "writers begin", show)
        for pair in self._pairs:
            pair.start_reading(world)

        def all_read() -> bool:
            return all(pair.traffic.consumed(time.time()).now > 0 for pair in self._pairs)

        self._until(all_read, FIRST_RECORDS_S, "readers begin", show)
        for pair in self._pairs:
            self._live.say(f"clients: {pair.name} settings, {pair.spec.rate:.0f} records a second")

    def _end_clients(self) -> None:
        """Writers first; readers once they have nothing more to read."""
        for pair in self._pairs:
            pair.finish_writing()
        await_consumption(self._pairs)
        for pair in self._pairs:
            pair.finish_reading()

    def _move_functions(self, world: World, clients: ExitStack) -> None:
        """Into containers, before anything is measured."""
        self._live.phase = "making containers of the functions"
        self._live.show(world)
        move(world, clients.enter_context(containers(world)))
        self._live.say(f"the functions run in containers of sam local, but for {' and '.join(STAY)}")

    def _look_ahead(self, world: World) -> None:
        """Check readiness, as the stack's schedule does every few minutes, where a failover needs what it keeps: which
        groups work by the new protocol."""
        if not any(pair.spec.reader.get("group.protocol") == "consumer" for pair in self._pairs):
            return
        self._live.phase = "readiness is looked at"
        self._live.show(world)
        payload = json.dumps({"plan": fixture_plan.PLAN})
        answer = world.aws("lambda").invoke(FunctionName=world.resource("CheckReadiness"), Payload=payload)
        if "FunctionError" in answer:
            raise RehearsalFailed(f"readiness could not be looked at: {answer['Payload'].read().decode()}")
        self._live.say("readiness was looked at: which groups work by the new protocol is known")

    def _walk_dry(self, world: World, show: Callable[[], None]) -> None:
        """Walk the failover dry, as the stack's schedule does every few minutes."""
        step_functions = world.aws("stepfunctions")
        started = step_functions.start_execution(
            stateMachineArn=world.resource("FailoverStateMachine"),
            name=f"{fixture_plan.PLAN}-dry-run",
            input=json.dumps({"plan": fixture_plan.PLAN, "to": "standby", "dry_run": True}),
        )

        def over() -> bool:
            execution = step_functions.describe_execution(executionArn=started["executionArn"])
            if execution["status"] not in ("RUNNING", "SUCCEEDED"):
                raise RehearsalFailed(f"the dry run ended {execution['status']}: {execution.get('cause')}")
            return bool(execution["status"] == "SUCCEEDED")

        self._until(over, DRY_RUN_S * self._patience, "dry run of the failover", show)
        self._live.say("a dry run of the failover went through; nothing was changed")

    def _lose(self, world: World) -> float:
        for service in self._scenario.without:
            world.lose_service(service)
            self._live.say(f"{service}'s API answers nobody any more")
        killed_at = world.lose(HOME, self._loss)
        for pair in (*self._pairs, *self._newcomers):
            pair.traffic.killed_at = killed_at
        self._live.say(f"site {HOME} is lost: {self._loss.description}", killed_at)
        return killed_at

    def _await_recovery(self, world: World, controller: ControllerAccount, show: Callable[[], None]) -> None:
        """Until the execution has ended and every client works on the standby, or the limit is reached."""
        limit_s = self._scenario.recovery_limit_s * self._patience
        deadline = time.time() + limit_s
        killed_at = self._live.killed_at or 0.0
        while time.time() < deadline:
            for word in words_of_loss(world.events(), killed_at):
                self._live.say(f"{word.name}: {HOME} is lost", word.at)
            execution = controller.failover()
            over = execution is not None and execution.status != "running"
            self._live.phase = (
                "detecting the loss" if execution is None else "clients come back" if over else "failing over"
            )
            show()
            for pair in self._pairs:
                if pair.traffic.has_resumed():
                    self._live.say(f"clients with {pair.name} settings work again")
            if execution is not None and over:
                self._live.say(f"{execution.name} {execution.status}")
                self._begin_on_standby(world)
                if all(pair.traffic.has_resumed() for pair in self._pairs):
                    return
            time.sleep(FRAME_S)
        self._live.say(f"no recovery within {limit_s:.0f} s")

    def _await_other_plans(self, world: World, killed_at: float, show: Callable[[], None]) -> Plans | None:
        """How all plans ended, if there are others; one that is not over at the limit has not failed over."""
        if world.neighbours is None:
            return None
        ends = partial(world.neighbours.ends, world.aws("dynamodb"), world.ledger_table)
        deadline = time.time() + self._scenario.recovery_limit_s * self._patience
        self._live.phase = "the other plans fail over"
        while not all(end.is_over for end in ends()) and time.time() < deadline:
            show()
            time.sleep(PLANS_EVERY_S)
        plans = plans_of(ends(), world.name_changes(killed_at), killed_at)
        self._live.say(f"plans: {wording.plans(plans)}")
        return plans

    def _begin_on_standby(self, world: World) -> None:
        """Start those clients that begin now."""
        begun, self._newcomers = self._newcomers, []
        for pair in begun:
            pair.start(world)
            self._pairs.append(pair)
            self._live.say(f"clients: {pair.name} settings, {pair.spec.rate:.0f} records a second")

    def _read_standby(self, world: World) -> ClusterLog | None:
        mirrors = read_topics(world, STANDBY, self._topics)
        if mirrors is None or not self._topics_apart:
            return mirrors
        apart = read_topics(world, STANDBY, self._topics_apart, checked=False)
        return mirrors if apart is None else mirrors | apart

    def _promoted(self, world: World) -> dict[str, dict[str, int]]:
        """The ends of the mirrors, and of topics that are none: nobody but their clients writes to them."""
        promoted = world.promoted()
        ends = {str(partition): 0 for partition in range(fixture_plan.PARTITIONS)}
        return promoted and promoted | dict.fromkeys(self._topics_apart, ends)

    def _count(
        self, findings: Findings, standby: ClusterLog | None, promoted: dict[str, dict[str, int]]
    ) -> tuple[Account, list[PairAccount]]:
        logs = [pair.read_logs() for pair in self._pairs]
        count = partial(
            accounts,
            standby=standby,
            killed_at=findings.killed_at,
            promoted=promoted or None,
            writable_at=findings.done_at("promote_mirrors"),
        )
        counted, of_pairs = count(logs[: len(SPECS)])
        return counted, [*of_pairs, *count(logs[len(SPECS) :])[1]]

    def _go_on(self, seconds: float, phase: str, show: Callable[[], None]) -> None:
        self._live.phase = phase
        until = time.time() + seconds
        while time.time() < until:
            show()
            time.sleep(FRAME_S)

    def _until(self, condition: Callable[[], bool], seconds: float, phase: str, show: Callable[[], None]) -> None:
        self._live.phase = phase
        deadline = time.time() + seconds
        while True:
            show()
            if condition():
                return
            if time.time() > deadline:
                raise RehearsalFailed(f"not within {seconds:.0f} s: {phase}; see {self._logs}")
            time.sleep(FRAME_S)
