"""Providers of the client hostname beside a Route 53 record: the drill's stand-ins without their sockets, and
ARC behind the account. Each tells where its name servers lead clients."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route

from drill.dns_providers.server import Operation
from simulation.aws.errors import NotSimulated
from simulation.scheduler import Process
from simulation.sites import HOSTNAME, REGIONS
from simulation.wire.rest import TooMany, door_of
from simulation.world import World

CHECKED_EVERY_S: Final = 10.0
FAILURES: Final = 2
"""In a row, and a health check fails."""
FOLLOWED_EVERY_S: Final = 0.3
"""How long name servers take to follow."""
Leads = Callable[[], str]


def follow(life: World, leads: Leads) -> None:
    """Name servers answer what the provider says, a moment later."""

    def run() -> None:
        while True:
            life.await_attention()
            life.scheduler.sleep(FOLLOWED_EVERY_S)
            if (target := leads()) != life.sites.answer:
                life.sites.record = life.sites.answer = target
                life.tell(f"{HOSTNAME} leads to {target}")
                for notice in life.moved:
                    notice()

    life.scheduler.spawn(run, Process("name servers"))


def serve(life: World, hosts: Iterable[str], service: str, operations: Iterable[Operation]) -> None:
    """A stand-in's operations answer at these hosts."""
    routes = [Route(path, handler, methods=[method]) for _, method, path, handler in operations]

    def send(request: httpx.Request) -> httpx.Response:
        door = door_of(request)
        operation = f"{request.method} {request.url.path.rpartition('/')[2]}"
        try:
            answer = life.calls.make(service, operation, lambda: _answered(routes, request), door)
        except TooMany:
            return httpx.Response(429, json={"error": {"code": 429, "message": "Too many requests"}}, request=request)
        headers = {name: value for name, value in answer.headers.items() if name != "content-length"}
        return httpx.Response(answer.status_code, content=bytes(answer.body), headers=headers, request=request)

    for host in hosts:
        life.http[host] = send


def _answered(routes: list[Route], request: httpx.Request) -> Response:
    scope: dict[str, Any] = {
        "type": "http",
        "method": request.method,
        "path": request.url.path,
        "root_path": "",
        "scheme": request.url.scheme,
        "server": (request.url.host, 443),
        "query_string": request.url.query,
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": request.content, "more_body": False}

    for route in routes:
        match, more = route.matches(scope)
        if match is Match.FULL:
            return run(route.endpoint(Request({**scope, **more}, receive)))
    raise NotSimulated(f"{request.method} {request.url}")


def run(answering: Coroutine[Any, Any, Response]) -> Response:
    """What a coroutine that waits for nothing gives."""
    try:
        answering.send(None)
    except StopIteration as ended:
        response: Response = ended.value
        return response
    raise RuntimeError(f"{answering} waits for something")


def led_by_records(records: Callable[[Any], Any]) -> str:
    """Where records, as a stand-in tells its name servers, lead the hostname."""
    rows = json.loads(bytes(run(records(None)).body))
    targets = {row["Name"].rstrip("."): row["ResourceRecords"][0]["Value"].rstrip(".") for row in rows}
    name = HOSTNAME
    while name in targets:
        name = targets[name]
    return name


def web_identity(life: World) -> None:
    """STS says to other clouds who the controller is."""

    def token(asked: Mapping[str, Any]) -> dict[str, Any]:
        expires = datetime.fromtimestamp(life.now, UTC) + timedelta(seconds=300)
        return {"WebIdentityToken": f"signed-by-aws.for.{asked['Audience'][0]}", "Expiration": expires}

    life.account.operations["sts GetWebIdentityToken"] = token


def health_checks(life: World, targets: Mapping[str, str], health: dict[str, bool]) -> None:
    """A record by latency wherever gateways stand, and checkers who find within seconds whether they are there."""

    def check() -> None:
        failures = dict.fromkeys(targets, 0)
        while True:
            life.await_attention()
            life.scheduler.sleep(CHECKED_EVERY_S)
            for site, target in targets.items():
                failures[site] = 0 if life.sites.takes_connections(target) else failures[site] + 1
                health[site] = failures[site] < FAILURES

    def records(_: Mapping[str, Any]) -> dict[str, Any]:
        named = [
            {"Name": f"{HOSTNAME}.", "Type": "CNAME", "TTL": 5, "ResourceRecords": [{"Value": target}]}
            | {"SetIdentifier": site, "Region": REGIONS[site], "HealthCheckId": site}
            for site, target in targets.items()
        ]
        return {"ResourceRecordSets": named, "IsTruncated": False, "MaxItems": "10"}

    def status(request: Mapping[str, Any]) -> dict[str, Any]:
        word = "Success: TCP connection" if health[request["HealthCheckId"]] else "Failure: timed out"
        return {"HealthCheckObservations": [{"StatusReport": {"Status": word}}]}

    life.account.operations |= {"route53 ListResourceRecordSets": records, "route53 GetHealthCheckStatus": status}
    life.scheduler.spawn(check, Process("health checkers"))


def routing_controls(life: World, states: dict[str, str]) -> None:
    """ARC keeps the states of routing controls, by ARN."""

    def get(asked: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "RoutingControlArn": asked["RoutingControlArn"],
            "RoutingControlState": states[asked["RoutingControlArn"]],
        }

    def update(asked: Mapping[str, Any]) -> dict[str, Any]:
        entries = asked["UpdateRoutingControlStateEntries"]
        states.update({entry["RoutingControlArn"]: entry["RoutingControlState"] for entry in entries})
        return {}

    service = "route53-recovery-cluster"
    life.account.operations |= {
        f"{service} GetRoutingControlState": get,
        f"{service} UpdateRoutingControlStates": update,
    }
