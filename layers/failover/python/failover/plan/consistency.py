"""What the fields of a plan say of each other: each alone may be right, and together they can't be meant.

`contradictions` are refused; `warnings` are told by `failover plans check` and by readiness, and the plan is taken.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlsplit

from failover.plan import placement, votes
from failover.plan.location import Location
from failover.plan.model import FENCED, ROUTE53_REGION, Plan
from failover.validation import host_and_port, is_address
from failover.wording import Problem, join

FASTEST_WATCH_S: Final = 2
"""The shortest time between two looks at the sites that can be deployed (`WatchSeconds`)."""
_ARN_PARTS: Final = 6


def contradictions(plan: Plan) -> Iterator[Problem]:
    """Why a plan is refused though each of its fields is well-formed."""
    if plan.home not in plan.sites:
        yield "home", f"names no site of the plan: write {' or '.join(plan.sites)}"
    if FENCED in plan.sites:
        yield f"sites.{FENCED}", "is what a fleet is routed to that is fenced: give the site another name"
    yield from _other_names(plan)
    yield from _canary(plan)
    yield from _same_on_both_sites(plan)
    yield from _alarms_of_two_sites(plan)
    yield from placement.misplaced(plan)
    yield from _named_twice(plan)
    led_to = [name for name, location in plan.locations.items() if location.fleets or location.dns_target]
    for field in ("controls", "endpoints", "alias_zones"):
        if (by_name := getattr(plan.dns, field, None)) and by_name.keys() != set(led_to):
            what = "location" if plan.fleets else "site"
            yield f"dns.{field}", f"must name each {what} of the plan ({', '.join(led_to)}) and no other"
    yield from too_old_between_looks(plan, FASTEST_WATCH_S)
    yield from votes.signals_of_nobody(plan)
    if plan.practice is not None and plan.policy.by_hand == "refuse":
        yield "practice", "is never carried out where policy.by_hand is refuse: leave one of them out"
    if plan.policy.mode != "observe" and plan.home in plan.sites:
        yield from votes.shortfalls(plan, plan.home)


def _named_twice(plan: Plan) -> Iterator[Problem]:
    if len({link.name for link in plan.links}) < len(plan.links):
        yield "links", "names one link twice"
    if len({hook.name for hook in plan.hooks}) < len(plan.hooks):
        yield "hooks", "has two of one name: each is reported by its name"


def warnings(plan: Plan) -> Iterator[Problem]:
    """What may be meant in a plan that is taken, and most likely is not."""
    first, second = plan.sites
    if plan.sites[first].region == plan.sites[second].region:
        yield f"sites.{second}.region", f"is site {first}'s, too: the loss of {plan.sites[first].region} is both sites'"
    if plan.dns.kind != "none":
        for host in filter(is_address, _hosts(plan.bootstrap)):
            yield "bootstrap", f"holds {host}: clients that have an address are not moved; write {plan.hostname}:port"
    for path, location in placement.paths(plan):
        yield from _elsewhere(path, location)
    yield from placement.nearness(plan)
    yield from votes.alarms_without_a_vote(plan)
    yield from _anchors_inside(plan)
    yield from _name_lost_with_a_site(plan)
    for name in plan.sites:
        if name != plan.home or plan.policy.mode == "observe":
            yield from votes.shortfalls(plan, name)
        yield from votes.shortfalls_without_its_region(plan, name)
    if plan.policy.always_maintained:
        yield (
            "policy.maintenance",
            "leaves no time at all: nothing is ever started by itself; write mode: observe if so",
        )
    if (plan.policy.mode, plan.policy.by_hand) == ("observe", "refuse"):
        yield "policy.by_hand", "is refuse, and mode is observe: nothing can ever be started; write approve or allow"


def too_old_between_looks(plan: Plan, interval_s: float) -> Iterator[Problem]:
    """Why one look that is late would leave no vote, where the sites are looked at every so many seconds."""
    age = plan.policy.probe_max_age_seconds
    if age <= 2 * interval_s:
        yield (
            "policy.probe_max_age_seconds",
            f"is {age}, and the sites are looked at every {interval_s:g} s: one look that is late leaves no vote; write"
            f" {2 * interval_s + 1:g} or more",
        )


def _hosts(endpoints: str) -> list[str]:
    return [host_and_port(endpoint)[0] for endpoint in endpoints.split(",")]


def _other_names(plan: Plan) -> Iterator[Problem]:
    """Clients that bootstrap to another name are not led anywhere when the client hostname flips."""
    if plan.dns.kind == "none":
        return
    for host in _hosts(plan.bootstrap):
        if not is_address(host) and host != plan.hostname:
            yield "bootstrap", f"names {host}, which no flip leads elsewhere: write {plan.hostname}, the hostname"


def _canary(plan: Plan) -> Iterator[Problem]:
    """Records of ours must go to a topic that is nobody else's, and that can be written on both clusters."""
    topic = plan.clients.canary_topic
    if topic in plan.protect.topics:
        yield "clients.canary_topic", f"is {topic}, which protect.topics has mirrored: name one that is no mirror"
    if topic.startswith("__"):
        yield "clients.canary_topic", f"is {topic}, and topics that begin with __ are Kafka's own: name another one"


def _same_on_both_sites(plan: Plan) -> Iterator[Problem]:
    first, second = plan.sites
    if plan.sites[first].kafka.cluster_id == plan.sites[second].kafka.cluster_id:
        yield f"sites.{second}.kafka.cluster_id", f"is the cluster of site {first} too"


def _alarms_of_two_sites(plan: Plan) -> Iterator[Problem]:
    owners: dict[str, str] = {}
    for name, site in plan.sites.items():
        for index, alarm in enumerate(site.alarms):
            if owner := owners.get(alarm.name):
                yield f"sites.{name}.alarms[{index}]", f"speaks for site {owner} too; an alarm has one site"
            owners[alarm.name] = name


def _elsewhere(place: str, location: Location) -> Iterator[Problem]:
    """ARNs of a location's fleets in another region than it, or in another account than the first of them."""
    first_account = ""
    for path, arn in _arns(f"{place}.fleets", [fleet.model_dump() for fleet in location.fleets]):
        _, _, service, region, account, _ = arn.split(":", _ARN_PARTS - 1)
        if region and region != location.region:
            yield (
                path,
                f"is in {region}, and {place} in {location.region}: name the one of arn:…:{service}:{location.region}",
            )
        first_account = first_account or account
        if account and account != first_account:
            yield (
                path,
                f"is of account {account}, and {place} of {first_account}: fleets of one place are in one account",
            )


def _anchors_inside(plan: Plan) -> Iterator[Problem]:
    """Anchors that are lost with a site: a vantage point would take the loss of the site for its own."""
    for index, anchor in enumerate(plan.anchors):
        for name, site in plan.sites.items():
            own = {*_hosts(site.kafka.bootstrap), site.dns_target, urlsplit(site.kafka.rest_endpoint).hostname}
            hosts = [host for host in _hosts(anchor) if not is_address(host)]
            if any(host in own or site.region in host.split(".") for host in hosts):
                yield (
                    f"anchors[{index}]",
                    f"is lost with site {name}, and anchors are outside of both: name another one",
                )


def _name_lost_with_a_site(plan: Plan) -> Iterator[Problem]:
    """A flip that needs Route 53's control plane
    (https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/disaster-recovery-resiliency.html)."""
    if plan.dns.kind != "route53-record" or plan.dns.answers_every_location:
        return
    for name, site in plan.sites.items():
        if site.region == ROUTE53_REGION:
            yield (
                "dns.kind",
                f"is route53-record, which is changed in {ROUTE53_REGION}, the region of site {name}: both are lost"
                " together; write route53-health-check",
            )


def _arns(path: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, str) and value.startswith("arn:") and value.count(":") >= _ARN_PARTS - 1:
        yield path, value
    elif isinstance(value, dict):
        for key, below in value.items():
            yield from _arns(join(path, key), below)
    elif isinstance(value, list | tuple):
        for index, below in enumerate(value):
            yield from _arns(join(path, index), below)
