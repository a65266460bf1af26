"""What stands beside the topics, and clients need on the day after: schemas, connectors, role bindings.

Cluster Linking carries none of them. Each is looked at where the plan names its API, and is unknown where it does not,
unless the plan says that clients do without.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Final, cast

from failover.beside import connect, schema_registry
from failover.beside import role_bindings as iam
from failover.beside.connect import Connector
from failover.beside.json_api import JsonApi
from failover.beside.role_bindings import Binding
from failover.beside.schema_registry import Exporter, Registry, schema_identities
from failover.errors import FailoverError
from failover.kafka.factory import as_controller
from failover.kafka.last_records import last_records
from failover.plan.beside import Api, Beside
from failover.plan.model import Plan
from failover.readiness import Finding, fail, listed, ok, unknown, unreadable, warn
from failover.readiness.snapshot import PlanSnapshot

PARTITIONS_AT_MOST: Final = 200
"""Whose last records are looked at: every topic's first partitions come first."""
SCHEMAS_AT_MOST: Final = 50
READING_S: Final = 6.0
SIDE_BY_SIDE: Final = 8


def schemas(snapshot: PlanSnapshot) -> Iterator[Finding]:
    """Whether the standby's registry follows the active one's, and has what the topics' last records need."""
    plan, sites = snapshot.plan, (snapshot.active, snapshot.standby)
    apis = {site: plan.site(site).schema_registry for site in sites}
    yield from _unnamed(plan, "schema-registry", "schema_registry", apis)
    with ExitStack() as stack:
        registries = {
            site: Registry(stack.enter_context(JsonApi(f"{schema_registry.WHAT} of {site}", api)))
            for site, api in apis.items()
            if api is not None
        }
        here, there = registries.get(snapshot.standby), registries.get(snapshot.active)
        if here is None:
            return
        shared = len({api.url for api in apis.values() if api}) < len(registries)
        if shared:
            yield ok("both sites use one Schema Registry")
        elif there is not None:
            yield from _followed(snapshot, here, there)
        try:
            yield from _readable(snapshot, here, there)
        except FailoverError as error:
            yield unreadable(error)


def _followed(snapshot: PlanSnapshot, here: Registry, there: Registry) -> Iterator[Finding]:
    described = snapshot.plan.site(snapshot.active).schema_registry
    name = described.exporter if described else None
    try:
        yield exporter(name, there.exporter(name) if name else None)
        yield from lag(there.subjects(), here.subjects())
    except FailoverError as error:
        yield unreadable(error)
    try:
        yield mode(snapshot.plan, snapshot.standby, here.mode())
    except FailoverError as error:
        yield unreadable(error)


def exporter(name: str | None, status: Exporter | None) -> Finding:
    """Whether schemas are carried to the standby's registry."""
    if name is None:
        return unknown(
            "the plan names no exporter of the active site's Schema Registry", "name it: schema_registry.exporter"
        )
    if status is None:
        return fail(f"there is no schema exporter {name}", "create it, or mend its name in the plan")
    when = "" if status.exported_at is None else f", last export at {status.exported_at:%Y-%m-%d %H:%M UTC}"
    fact = f"schema exporter {name} is {status.state}{when}{f': {status.trace}' if status.trace else ''}"
    if status.state == "RUNNING":
        return warn(fact, "look at its last error") if status.trace else ok(fact)
    if status.state == "STARTING":
        return warn(fact, "look again in a minute")
    return fail(fact, f"mend what it says, then resume it: PUT /exporters/{name}/resume")


def lag(active: set[str], standby: set[str]) -> Iterator[Finding]:
    """How far the standby's registry trails, by the subjects that it lacks."""
    missing = active - standby
    if missing:
        yield warn(
            f"{len(missing):,} of {len(active):,} subjects are not on the standby: {listed(missing)}",
            "look at the exporter's subjects and its context, and whether it runs",
        )
    else:
        yield ok(f"{len(active):,} subjects are on both registries")


def mode(plan: Plan, site: str, current: str) -> Finding:
    """Whether clients could register schemas there once it is active."""
    fact = f"the Schema Registry of {site} is in mode {current}"
    if current == "READWRITE" or any("after-promotion" in hook.when for hook in plan.hooks):
        return ok(fact)
    return warn(fact, "have a hook open it after the promotion: hooks/schema_registry is an example")


def _readable(snapshot: PlanSnapshot, here: Registry, there: Registry | None) -> Iterator[Finding]:
    """Whether the schemas that the topics' last records name are on the standby, and the same. What its registry lacks
    is no schema if the active one does not know it, either."""
    protected = set(snapshot.plan.protect.topics)
    spots = [
        (mirror.topic, lag.partition)
        for mirror in snapshot.mirrors()
        for lag in mirror.lags
        if not protected or mirror.topic in protected
    ]
    some = sorted(spots, key=lambda spot: (spot[1], spot[0]))[:PARTITIONS_AT_MOST]
    records = as_controller(snapshot.plan, snapshot.standby, lambda settings: last_records(settings, some, READING_S))
    yield ok(f"{len(records):,} last records of {len(spots):,} partitions were looked at")
    used: dict[str, str] = {}
    for (topic, _), record in sorted(records.items()):
        headers = cast("list[tuple[str, bytes | None]]", record.headers() or [])
        for identity in schema_identities(record.key(), record.value(), headers):
            used.setdefault(identity, topic)
    identities = sorted(used)[:SCHEMAS_AT_MOST]
    with ThreadPoolExecutor(max_workers=SIDE_BY_SIDE) as pool:
        standby = dict(zip(identities, pool.map(here.schema, identities), strict=True))
        active = standby if there is None else dict(zip(identities, pool.map(there.schema, identities), strict=True))
    yield from readable({identity: used[identity] for identity in identities}, active, standby)


def readable(
    used: Mapping[str, str], active: Mapping[str, str | None], standby: Mapping[str, str | None]
) -> Iterator[Finding]:
    """Of each id or GUID that a record of a topic names: the schema on either registry, None where there is none."""
    schemas_used = {identity: topic for identity, topic in used.items() if active[identity] or standby[identity]}
    missing = {f"{identity} of {topic}" for identity, topic in schemas_used.items() if standby[identity] is None}
    other = {
        f"{identity} of {topic}"
        for identity, topic in schemas_used.items()
        if None not in (active[identity], standby[identity]) and active[identity] != standby[identity]
    }
    if missing:
        yield fail(
            f"schemas that last records use are not on the standby: {listed(missing)}",
            "have them exported: consumers there can't read those records",
        )
    if other:
        yield fail(
            f"schemas of the same id differ on the standby: {listed(other)}",
            "have them imported with their ids, in mode IMPORT, or into a context of their own",
        )
    if not missing and not other:
        yield ok(f"{len(schemas_used):,} schemas that last records use are on the standby")


def connectors(snapshot: PlanSnapshot) -> Iterator[Finding]:
    """Whether connectors run on the active site, and are at hand on the standby."""
    plan = snapshot.plan
    apis = {site: plan.site(site).connect for site in (snapshot.active, snapshot.standby)}
    yield from _unnamed(plan, "connectors", "connect", apis)
    for site, api in apis.items():
        if api is None:
            continue
        try:
            with JsonApi(f"{connect.WHAT} of {site}", api) as api_there:
                there = connect.connectors(api_there)
        except FailoverError as error:
            yield unreadable(error)
            continue
        for name in api.connectors:
            yield connector(name, site, there.get(name), active=site == snapshot.active)


def connector(name: str, site: str, status: Connector | None, *, active: bool) -> Finding:
    """What a connector's state means: it runs with its tasks on the active site; on the standby it is there, and does
    not write beside the mirrors."""
    where = f"connector {name} on {site}"
    if status is None:
        return fail(f"there is no {where}", "create it there, stopped, or mend its name in the plan")
    failed = sum(state == "FAILED" for state in status.tasks)
    fact = f"{where} is {status.state}, {len(status.tasks)} tasks, {failed} of them failed"
    if status.state == "FAILED" or failed:
        return fail(fact, "see its trace, mend it, and restart it")
    if active:
        running = status.state == "RUNNING" and all(state == "RUNNING" for state in status.tasks)
        return ok(fact) if running else warn(fact, "resume it, if it is meant to run")
    if status.state == "RUNNING":
        return warn(fact, "stop it: a source would write beside the mirrors, a sink twice")
    return ok(fact)


def role_bindings(snapshot: PlanSnapshot) -> Iterator[Finding]:
    """Whether principals may do on the standby what they may on the active site."""
    plan, active, standby = snapshot.plan, snapshot.active, snapshot.standby
    apis = {site: plan.site(site).role_bindings for site in (active, standby)}
    yield from _unnamed(plan, "role-bindings", "role_bindings", apis)
    bindings: dict[str, frozenset[Binding]] = {}
    for site, api in apis.items():
        if api is None:
            continue
        try:
            with JsonApi(iam.WHAT, api) as api_there:
                bindings[site] = iam.role_bindings(api_there, api.crn)
        except FailoverError as error:
            yield unreadable(error)
    if len(bindings) == len(apis):
        yield from same_bindings(bindings[active], bindings[standby])


def same_bindings(active: frozenset[Binding], standby: frozenset[Binding]) -> Iterator[Finding]:
    """What is bound on the active site alone."""
    missing = {f"{principal} {role} {what or 'the cluster'}" for principal, role, what in active - standby}
    if missing:
        yield warn(
            f"{len(missing):,} of {len(active):,} role bindings are not on the standby: {listed(missing)}",
            "bind them there, too: no link carries them",
        )
    yield ok(f"{len(active & standby):,} role bindings are on both clusters")


def _unnamed(plan: Plan, what: Beside, field: str, apis: Mapping[str, Api | None]) -> Iterator[Finding]:
    """Unknown is what the plan neither names nor does without."""
    if what in plan.unused and not any(apis.values()):
        yield ok(f"clients use no {what.replace('-', ' ')}, as the plan says")
        return
    for site, api in apis.items():
        if api is None:
            yield unknown(
                f"the plan names no {what.replace('-', ' ')} of {site}: nothing is known of it",
                f"name it under sites.{site}.{field}, or list {what} under unused if clients do without",
            )
        elif what in plan.unused:
            yield warn(f"the plan says that {what} is unused, and names it for {site}", "take it out of one of both")
