"""Confluent's Kafka REST v3 of both clusters, behind httpx: clusters, links, mirrors, and what is asked beside them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Final

import httpx

from simulation.aws.errors import NotSimulated
from simulation.calls import Door
from simulation.keys import Keys
from simulation.scheduler import Scheduler
from simulation.sites import Sites

Answer = tuple[int, Any]
Send = Callable[[httpx.Request], httpx.Response]
_CLUSTER: Final = re.compile(r"/kafka/v3/clusters/lkc-(east|west)01(.*)")
_CONNECT_S: Final = 2.0
_REFUSED_S: Final = 0.01


class TooMany(Exception):
    """Throttled: the gateway in front of the API answers 429."""


def door_of(request: httpx.Request) -> Door:
    """How an HTTP server is not reached, or does not answer a request."""
    return Door(
        throttled=TooMany,
        unreached=lambda: httpx.ConnectTimeout("simulated", request=request),
        unanswered=lambda: httpx.ReadTimeout("simulated", request=request),
    )


def install(send: Send) -> None:
    """Have `send` answer for every HTTP server."""
    transport: Any = httpx.HTTPTransport
    transport.handle_request = lambda self, request: send(request)


class Rest:
    """The API, over the world. `make`: of `Calls`."""

    def __init__(
        self, scheduler: Scheduler, sites: Sites, keys: Keys, make: Callable[..., Any], tell: Callable[[str], None]
    ) -> None:
        self._clock = scheduler
        self._keys = keys
        self._sites = sites
        self._make = make
        self._tell = tell

    def send(self, request: httpx.Request) -> httpx.Response:
        """The answer to a request.

        Raises:
            httpx.TransportError: there is none.
        """
        site = self._sites.sites["east" if "pkc-east01" in request.url.host else "west"]
        if not site.up["rest"]:
            self._clock.sleep(_CONNECT_S if site.silent else _REFUSED_S)
            kind = httpx.ConnectTimeout if site.silent else httpx.ConnectError
            raise kind("simulated", request=request)
        door = door_of(request)
        operation = f"{request.method} {request.url.path.rpartition('/')[2]}"
        try:
            changes = operation.endswith("mirrors:failover") and request.url.params.get("validate_only") != "true"
            status, body = self._make(
                "rest", operation, lambda: self._answer(site.name, request), door, changes=changes
            )
        except TooMany:
            return httpx.Response(429, text="<html>Too many requests</html>", request=request)
        return httpx.Response(status, json=body, request=request)

    def _answer(self, site: str, request: httpx.Request) -> Answer:
        match = _CLUSTER.fullmatch(request.url.path)
        if match is None:
            raise NotSimulated(f"{request.method} {request.url.path}")
        if not self._keys.takes_header(site, request.headers.get("Authorization", "")):
            return 401, {"error_code": 401, "message": "Unauthorized"}
        path, here = match[2], site == self._sites.mirrored_at
        if path == "":
            return 200, {"cluster_id": f"lkc-{site}01"}
        if path.endswith("/mirrors:failover"):
            validate_only = request.url.params.get("validate_only") == "true"
            return self._fail_over(json.loads(request.content), validate_only=validate_only)
        if path.endswith("/mirrors"):
            return 200, _rows([self._mirror(topic) for topic in self._sites.mirrors] if here else [])
        if "/mirrors/" in path:
            return 200, self._mirror(path.rpartition("/")[2])
        if path.endswith("/configs"):
            return 200, _rows([{"name": "consumer.offset.sync.ms", "value": "5000"}])
        if path.endswith("/lags"):
            return 200, _rows([])
        raise NotSimulated(f"{request.method} {request.url.path}")

    def _fail_over(self, body: Any, *, validate_only: bool) -> Answer:
        topics = body["mirror_topic_names"]
        if not validate_only:
            self._tell(f"the mirrors {', '.join(topics)} are failed over")
            self._sites.stop_mirrors(topics)
        rows = [{"mirror_topic_name": topic, "error_code": None, "error_message": None} for topic in topics]
        return 200, _rows(rows)

    def _mirror(self, topic: str) -> dict[str, Any]:
        lag = (
            {"lag": 3, "last_source_fetch_offset": 97}
            if self._sites.lag_known
            else {"lag": 0, "last_source_fetch_offset": -1}
        )
        return {
            "mirror_topic_name": topic,
            "source_topic_name": topic,
            "mirror_status": self._sites.mirrors[topic],
            "mirror_topic_error": "NO_ERROR",
            "num_partitions": 1,
            "mirror_lags": [{"partition": 0} | lag],
        }


def _rows(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {"data": rows, "metadata": {"next": None}}
