"""What a controller costs a month while nothing happens, and what one failover costs: from the templates' resources and
schedules, what a drill was seen to use, and a table of list prices. Pure, but for reading those files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any, Final, TypedDict

import yaml

from failover.plan.model import Plan

HERE: Final = Path(__file__).parent
MONTH_MINUTES: Final = 43_800
"""Of 365 days by twelve."""
EXPRESS_GB: Final = 0.0625
GB: Final = 1e9
DAYS_A_MONTH: Final = 365 / 12
PARTITIONS_A_WRITE: Final = 120
"""Whose samples are one unit of the ledger, as they are packed: 600 busy ones take five."""
PLANS_A_SHARD: Final = 50
"""Plans that one call looks at."""
MS_A_PLAN: Final = {"WatchSite": 4.4, "SampleLag": 9.5, "Judge": 8.0}
"""By which a call for one more plan is longer: 40 were looked at in 0.18 s on one processor, one in 0.007. A sample of
100 mirrors took 5.5 ms of a processor, of which a function with 1,024 MB has 0.58; a judgement 7.9."""
NAMES_AT_ONCE: Final = 100
"""Of alarms, in a request."""
PLANS_AN_EVENT: Final = 20
"""Whose observations are told together."""
WELL_EVERY_S: Final = 60
"""That all is well is told at the first look once this is over."""
PLATFORM_BYTES: Final = 700
"""Of a call's log, Lambda's own lines."""
METRIC_BYTES: Final = 300
"""In a log, of a metric that WatchSite sends with a look."""
SAMPLES_A_MINUTE: Final = 12
WRITES_A_MINUTE: Final = 2
"""Of samples, while all is well."""
SHARE_TRACED: Final = 0.05
"""X-Ray traces the first request of a second, and so much of the others:
https://docs.aws.amazon.com/lambda/latest/dg/services-xray.html"""


class Call(TypedDict):
    """What one call of a function uses."""

    milliseconds: float
    reads: float
    writes: float
    events: float
    log_bytes: float


class Execution(TypedDict):
    """What an execution uses: transitions between states, and calls by function."""

    transitions: int
    calls: dict[str, int]


class Usage(TypedDict):
    """What a drill was seen to use."""

    functions: dict[str, Call]
    executions: dict[str, Execution]


@dataclass(frozen=True, kw_only=True)
class Item:
    """A line of the bill. `apart`: it is the plans' own, or asked for beside."""

    name: str
    usd: float
    why: str
    apart: bool = False


@dataclass(frozen=True, kw_only=True)
class Stack:
    """A controller's stack: its parameters and what it has."""

    parameters: Mapping[str, Any]
    resources: Mapping[str, Mapping[str, Any]]

    def number(self, parameter: str) -> float:
        """A parameter that is one."""
        return float(self.parameters[parameter])

    def count(self, kind: str) -> int:
        """Resources of a kind."""
        return sum(resource["Type"] == kind for resource in self.resources.values())

    def gigabytes(self, function: str) -> float:
        """A function's memory."""
        size = self.resources[function]["Properties"].get("MemorySize", self.parameters["MemorySize"])
        return float(size) / 1024


def read_stack(template: Path, changed: Mapping[str, str]) -> Stack:
    """A template with its defaults, and what is said instead.

    Raises:
        OSError, KeyError: it is not there; it has no such parameter.
    """
    document = yaml.load(template.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506  (safe, with short forms)
    declared = document["Parameters"]
    if unknown := changed.keys() - declared.keys():
        raise KeyError(", ".join(sorted(unknown)))
    defaults = {name: parameter.get("Default") for name, parameter in declared.items()}
    return Stack(parameters=defaults | dict(changed), resources=document["Resources"])


def prices() -> dict[str, float]:
    """The table of prices, in USD."""
    table: dict[str, float] = yaml.safe_load((HERE / "prices.yaml").read_text(encoding="utf-8"))
    return table


def usage() -> Usage:
    """What a drill was seen to use."""
    measured: Usage = yaml.safe_load((HERE / "usage.yaml").read_text(encoding="utf-8"))
    return measured


class Bill:
    """What is paid for some plans on one controller.

    `vantage_points`: from how many regions the sites are looked at, the controller's among them; `partitions`: how many
    each plan has mirrored.
    """

    def __init__(self, stack: Stack, plans: Sequence[Plan], *, vantage_points: int, partitions: int) -> None:
        self._stack, self._plans = stack, plans
        self._vantage_points, self._partitions = vantage_points, partitions
        self._prices, self._usage = prices(), usage()

    def a_month(self) -> list[Item]:
        """The lines of a month in which nothing happens."""
        return [*self._shared(), *self._apart()]

    def a_failover(self) -> float:
        """What one failover costs, but for the gateways and the cluster."""
        return self._execution("failover")

    def _shared(self) -> Iterator[Item]:
        shards = ceil(len(self._plans) / PLANS_A_SHARD)
        every_s, looks = self._stack.number("WatchSeconds"), self._looks_a_month() * shards
        everywhere = looks * self._vantage_points
        yield Item(
            name="looks",
            usd=self._calls("WatchSite", everywhere, plans=len(self._plans) / shards, tells=False),
            why=f"every {every_s:g} s, {PLANS_A_SHARD} plans at once; regions: {self._vantage_points}",
        )
        machine = self._prices["express_request"] + 60 * EXPRESS_GB * self._prices["express_gb_second"]
        yield Item(
            name="rounds",
            usd=MONTH_MINUTES * shards * self._vantage_points * machine + self._rounds(),
            why="Express workflows of a minute",
        )
        every = ceil(WELL_EVERY_S / every_s) * every_s
        events = MONTH_MINUTES * 60 / every * ceil(len(self._plans) / PLANS_AN_EVENT) * self._vantage_points
        regular = MONTH_MINUTES * shards
        yield Item(
            name="judging",
            usd=self._judging(events, every) + self._calls("Judge", regular, plans=len(self._plans) / shards),
            why=f"{PLANS_AN_EVENT} plans an event, from each region every {every:g} s",
        )
        requests = MONTH_MINUTES * shards * self._requests_of_alarms(shards)
        yield Item(
            name="standing alarms",
            usd=requests * self._prices["cloudwatch_request"],
            why=f"asked for each minute, {NAMES_AT_ONCE} at once",
        )
        yield Item(
            name="lag samples",
            usd=self._samples(shards),
            why=f"every 5 s, {self._partitions} partitions a plan",
        )
        yield self._dry_runs()
        yield self._readiness()
        own = self._stack.count("AWS::CloudWatch::Alarm"), self._stack.count("AWS::CloudWatch::Dashboard")
        usd = own[0] * self._prices["alarm"] + own[1] * self._prices["board"]
        yield Item(name="alarms and board", usd=usd, why=f"{own[0]} alarms, {own[1]} board of the stack")
        judged, seconds = events + regular, MONTH_MINUTES * 60
        traces = min(judged, seconds) + SHARE_TRACED * max(0.0, judged - seconds)
        yield Item(name="traces", usd=traces * self._prices["trace"], why="X-Ray: at most, of judging")

    def _apart(self) -> Iterator[Item]:
        named = [
            {site.kafka.credentials for site in plan.sites.values()} | {plan.clients.credentials}
            for plan in self._plans
        ]
        secrets = sum(len(names - {None}) for names in named) * self._vantage_points
        yield Item(
            name="secrets", usd=secrets * self._prices["secret"], why=f"{secrets}, one in each region", apart=True
        )
        if alarmed := sum(plan.has_alarms for plan in self._plans):
            resources = yaml.load((HERE / "alarms.yaml").read_text(encoding="utf-8"), Loader=_Loader)["Resources"]  # noqa: S506
            alarms = [self._of_alarm(resource["Properties"]) for resource in resources.values() if _is_alarm(resource)]
            yield Item(
                name="alarms of plans",
                usd=alarmed * sum(alarms),
                why=f"small stacks that plans name: {alarmed}",
                apart=True,
            )
            metrics = sum(map(_metrics, self._plans))
            logged = (metrics - alarmed) * self._looks_a_month() * METRIC_BYTES / GB * self._logged()
            yield Item(
                name="metrics of plans",
                usd=metrics * self._prices["metric"] + logged,
                why=f"{metrics} that those alarms read, and their log",
                apart=True,
            )

    def _of_alarm(self, properties: Mapping[str, Any]) -> float:
        of_seconds = isinstance(properties.get("Period"), int) and properties["Period"] < 60
        return self._prices["alarm_of_seconds" if of_seconds else "alarm"]

    def _looks_a_month(self) -> float:
        """Of one shard, from one region."""
        return 60 // self._stack.number("WatchSeconds") * MONTH_MINUTES

    def _logged(self) -> float:
        """What a GB of a log costs, taken in and kept."""
        storage = self._stack.number("LogRetentionDays") / DAYS_A_MONTH * self._prices["log_gb_month"]
        return self._prices["log_gb"] + storage

    def _readiness(self) -> Item:
        if self._stack.parameters["ReadinessState"] != "ENABLED":
            return Item(name="readiness", usd=0.0, why="DISABLED")
        checks = self._turns("Readiness")
        return Item(name="readiness", usd=self._calls("CheckReadiness", checks), why=f"{checks:,.0f} looks a month")

    def _turns(self, kind: str) -> float:
        """How often in a month some plan has its turn."""
        every, turn = self._stack.number(f"{kind}Minutes"), self._stack.number(f"{kind}PlanMinutes")
        return MONTH_MINUTES / every * min(len(self._plans), ceil(len(self._plans) * every / turn))

    def _dry_runs(self) -> Item:
        if self._stack.parameters["DryRunState"] != "ENABLED":
            return Item(name="dry runs", usd=0.0, why="DISABLED")
        walks = self._turns("DryRun")
        return Item(
            name="dry runs",
            usd=walks * self._execution("dry_run"),
            why=f"{walks:,.0f} a month, {self._usage['executions']['dry_run']['transitions']} transitions each",
        )

    def _rounds(self) -> float:
        starts = MONTH_MINUTES * self._vantage_points
        return self._calls("StartRounds", starts) + starts * self._prices["schedule"]

    def _samples(self, shards: int) -> float:
        """One call samples a shard; the ledger is asked and told of each plan. The first unit of a plan's samples is
        among the writes of a call."""
        plans, calls = len(self._plans) / shards, SAMPLES_A_MINUTE * MONTH_MINUTES * shards
        units = max(0, ceil(self._partitions / PARTITIONS_A_WRITE) - 1)
        further = WRITES_A_MINUTE * MONTH_MINUTES * len(self._plans) * units * self._prices["ledger_write"]
        return further + self._calls("SampleLag", calls, plans=plans)

    def _requests_of_alarms(self, shards: int) -> int:
        """Of a minute, for the plans that are judged together: a region is asked of all alarms that may live there."""
        names: Counter[str] = Counter()
        for plan in self._plans:
            names.update({region: len(of_plan) for region, of_plan in plan.alarms_by_region.items()})
        return sum(ceil(count / shards / NAMES_AT_ONCE) for count in names.values())

    def _judging(self, events: float, every: float) -> float:
        plans = MONTH_MINUTES * 60 / every * len(self._plans) * self._vantage_points / events
        return self._calls("Judge", events, plans=plans) + events * self._prices["event"]

    def _execution(self, kind: str) -> float:
        execution = self._usage["executions"][kind]
        calls = sum(self._calls(function, many) for function, many in execution["calls"].items())
        return execution["transitions"] * self._prices["standard_transition"] + calls

    def _calls(self, function: str, many: float, *, plans: float = 1, tells: bool = True) -> float:
        """That many calls, with what they ask of the ledger for each of their `plans` and, if it `tells`, of the bus,
        and their logs."""
        call = self._usage["functions"][function]
        architecture = str(self._stack.parameters["Architecture"])
        milliseconds = call["milliseconds"] + (plans - 1) * MS_A_PLAN.get(function, 0.0)
        seconds = milliseconds / 1000 * self._stack.gigabytes(function)
        one = (
            seconds * self._prices[f"lambda_gb_second_{architecture}"]
            + self._prices["lambda_request"]
            + plans * call["reads"] * self._prices["ledger_read"]
            + plans * call["writes"] * self._prices["ledger_write"]
            + call["events"] * self._prices["event"] * tells
            + (PLATFORM_BYTES + plans * (call["log_bytes"] - PLATFORM_BYTES)) / GB * self._logged()
        )
        return many * one


def _metrics(plan: Plan) -> int:
    """How many of its own a plan has: of the services that it names alarms of, and of its readiness."""
    return sum(len(plan.alarmed_services(site)) for site in plan.sites) + plan.has_alarms


def _is_alarm(resource: Mapping[str, Any]) -> bool:
    return bool(resource["Type"] == "AWS::CloudWatch::Alarm")


class _Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms as what they are written with."""


def _short_form(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return {suffix: loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {suffix: loader.construct_sequence(node, deep=True)}
    return {suffix: loader.construct_mapping(node, deep=True)}  # type: ignore[arg-type]


_Loader.add_multi_constructor("!", _short_form)
