"""watch_site: look at the sites of plans from here, and say what was seen: to the judge, and as metrics where the plan
has alarms.

Every plan is looked at by itself, in one thread: what a silent site delays is the word of its own plan. What looks lost
is looked at again at once, every half second, until it has looked so for as long as policy wants of a vote, or answers:
an outage is confirmed within one call, and so is a blip.

The observation goes to the default bus of every region that has a controller: on change at once, every look while a
site is lost, less often while that is being confirmed; once a minute while all is well, then of all plans together.
Metrics go out where alarms of the plan's small stack read them, in a controller's region, as EMF at one-second
resolution: the alarms have periods of 10 seconds
(https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html).
A probe that failed itself publishes nothing: it is no vote. Nor does a vantage point that is cut off itself.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from aws_lambda_powertools import Logger, single_metric
from aws_lambda_powertools.metrics import MetricResolution, MetricUnit

from failover.container import remembered
from failover.decision.controllers import controller_regions
from failover.detection.evidence import Probe, Signal, View, unbroken
from failover.detection.network import Network
from failover.detection.observation import Publisher
from failover.detection.probes import view
from failover.detection.rounds import Minutes, Round
from failover.plan.model import Plan
from failover.plan.store import deployed_plans
from failover.validation import read

LOOK_S = 2.0
"""A site that is silent for so long does not answer."""
CONFIRMING_LOOK_S = 1.5
CONFIRM_EVERY_S = 0.5
CONFIRMING_NEWS_EVERY_S = 1.5
"""What looks lost for less than a vote must have stood decides nothing yet: with many plans of a lost region judges and
the ledger have enough to do."""
CONFIRM_FOR_S = 4.0
"""No look begins later after the first of a call: the next call goes on."""
CALL_S = 7.0
"""A plan's looks end within so long, whatever they wait for."""
ALL_WELL_EVERY_S = 60.0
"""With the seconds to the next look, and those that another plan's looks may take, less than the 90 s after which a
vantage point counts as silent."""

logger = Logger(service="failover")


@dataclass(kw_only=True)
class Watch:
    """What this container keeps from one call to the next."""

    network: Network = field(default_factory=Network)
    controllers: list[str] = field(default_factory=controller_regions)
    """The regions whose judges are told, and where plans have their alarms."""
    publisher: Publisher = field(init=False)
    minutes: Minutes = field(default_factory=Minutes)
    signals: dict[tuple[str, str], Signal] = field(default_factory=dict)
    """What was last seen, by plan and site."""
    published: dict[str, View] = field(default_factory=dict)
    """What was last put on every bus, by plan."""

    def __post_init__(self) -> None:
        self.publisher = Publisher(self.network, self.controllers)


@remembered
def _watch() -> Watch:
    return Watch()


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Look and tell; answers what was seen of each plan, and what region's bus did not take it. The round of a minute
    whose successor has begun looks at nothing: it is superseded.

    Raises:
        MalformedEvent, LedgerUnavailable
    """
    watch = _watch()
    due = watch.minutes.due(read(Round, event), deployed_plans())
    if due.undeployed:
        logger.warning("not looked at: they are not deployed, or bad", plans=due.undeployed)
    views = watch.network.run(_look_at_all(watch, due.plans))
    answers = [_answer(watch, name, current) for name, current in views.items()]
    return {"plans": answers, "not_looked_at": due.undeployed, "superseded": list(due.superseded)}


async def _look_at_all(watch: Watch, plans: dict[str, Plan]) -> dict[str, View | None]:
    ends = time.monotonic() + CALL_S
    views = await watch.network.together({name: (partial(_look_at, watch, plan), ends) for name, plan in plans.items()})
    _tell_that_all_is_well(watch, views)
    return views


async def _look_at(watch: Watch, plan: Plan) -> View:
    """The last of the looks that it takes."""
    await watch.network.turn()
    began = looked_at = time.monotonic()
    current = await view(watch.network, plan, LOOK_S)
    while _tell(watch, plan, current):
        pause = max(0.0, looked_at + CONFIRM_EVERY_S - time.monotonic())
        if time.monotonic() + pause > began + CONFIRM_FOR_S:
            break
        await watch.network.sleep(pause)
        looked_at = time.monotonic()
        current = await view(watch.network, plan, CONFIRMING_LOOK_S)
    return current


def _is_unconfirmed(watch: Watch, plan: Plan, current: View) -> bool:
    """Whether a site looks lost for less than a vote must have stood. What earlier calls saw spares looks, no more."""
    young = False
    for signal in current.signals():
        key = plan.name, signal.site
        signal = unbroken(signal, watch.signals.get(key), plan.policy.probe_max_age_seconds)
        watch.signals[key] = signal
        young |= signal.says_lost and signal.at - signal.since < plan.policy.hold_seconds
    return young


def _tell(watch: Watch, plan: Plan, current: View) -> bool:
    """Say what was seen, if judges should hear of it; whether it is to be confirmed."""
    if current.isolated_because:
        logger.warning("no vote", plan=plan.name, vantage=current.vantage, why=current.isolated_because)
    elif current.vantage in watch.controllers:
        for probe in current.probes:
            if probe.service in plan.alarmed_services(probe.site):
                _measure(plan.name, current.vantage, probe)
    before, unconfirmed = watch.published.get(plan.name), _is_unconfirmed(watch, plan, current)
    if before is None or is_news(before, current, unconfirmed=unconfirmed) or watch.publisher.missing(plan.name):
        _publish(watch, plan.name, current)
    return unconfirmed


def _tell_that_all_is_well(watch: Watch, views: dict[str, View | None]) -> None:
    """Of every plan of which there is no news, as soon as it is time for one of them: so they share events."""
    quiet = {name: view for name, view in views.items() if view is not None and view is not watch.published.get(name)}
    if any(view.at - watch.published[name].at >= ALL_WELL_EVERY_S for name, view in quiet.items()):
        for name, view in quiet.items():
            _publish(watch, name, view)


def _publish(watch: Watch, plan: str, current: View) -> None:
    watch.publisher.publish(plan, current)
    watch.published[plan] = current


def is_news(before: View, current: View, *, unconfirmed: bool) -> bool:
    """Whether judges should hear of it at once: something changed; or a site looks lost, and if that is not confirmed
    yet, they have not heard of it for a moment."""
    if _state(before) != _state(current):
        return True
    is_lost = any(signal.says_lost for signal in current.signals())
    return is_lost and not (unconfirmed and current.at - before.at < CONFIRMING_NEWS_EVERY_S)


def _state(current: View) -> tuple[Any, ...]:
    return current.isolated_because, *((probe.site, probe.service, probe.healthy) for probe in current.probes)


def _measure(plan: str, vantage: str, probe: Probe) -> None:
    if probe.healthy is None:
        return
    with single_metric(
        name="SiteHealthy",
        unit=MetricUnit.Count,
        value=int(probe.healthy),
        resolution=MetricResolution.High,
        namespace="Failover",
    ) as metric:
        metric.add_dimension("plan", plan)
        metric.add_dimension("site", probe.site)
        metric.add_dimension("service", probe.service)
        metric.add_dimension("vantage", vantage)


def _answer(watch: Watch, plan: str, current: View | None) -> dict[str, Any]:
    untold, published = watch.publisher.missing(plan), watch.published.get(plan)
    if untold:
        logger.warning("observation not taken", plan=plan, regions=untold)
    if current is None:
        return {"plan": plan, "untold": untold, "published_at": published and published.at, "probes": []}
    return {
        "plan": plan,
        "vantage": current.vantage,
        "isolated_because": current.isolated_because,
        "probes": [_result(probe) for probe in current.probes],
        "untold": untold,
        "published_at": published and published.at,
    }


def _result(probe: Probe) -> dict[str, Any]:
    return {"site": probe.site, "service": probe.service, "healthy": probe.healthy, "why": probe.why}
