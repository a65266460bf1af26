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
from simulation.sites import LOG_END, STRANDED, Sites, other

Answer = tuple[int, Any]
Send = Callable[[httpx.Request], httpx.Response]
_CLUSTER: Final = re.compile(r"/kafka/v3/clusters/lkc-(east|west)01(.*)")
_VERB: Final = re.compile(r".*/mirrors:(failover|promote|reverse-and-start-mirror|truncate-and-restore)")
_LINK: Final = re.compile(r"/links/[^/]+")
_DONE: Final = {"failover": "failed over", "promote": "promoted", "reverse-and-start-mirror": "reversed"}
_NO_ERROR: Final = {"error_code": None, "error_message": None}
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
    transport.__init__ = transport.close = transport.__exit__ = lambda self, *_, **__: None
    transport.__enter__ = lambda self: self
    transport.handle_request = lambda self, request: send(request)
    cookies: Any = httpx.Cookies
    cookies.extract_cookies = lambda self, response: None


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
            changes = request.method != "GET" and not _is_trial(request)
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
        path = match[2]
        if request.method != "GET":
            return self._change(site, path, request)
        if path in (of_cluster := self._of_cluster(site)):
            return 200, of_cluster[path]
        if path.endswith("/mirrors"):
            return 200, _rows([self._mirror(site, topic) for topic in self._sites.mirrors[site]])
        if "/mirrors/" in path:
            return 200, self._mirror(site, path.rpartition("/")[2])
        if _LINK.fullmatch(path) is not None:
            remote = {"remote_cluster_id": f"lkc-{other(site)}01"}
            return 200, {
                "link_name": path.rpartition("/")[2],
                "link_state": "ACTIVE",
                "link_error": "NO_ERROR",
            } | remote
        if path.endswith("/configs"):
            mode = {"name": "link.mode", "value": self._sites.link_mode}
            return 200, _rows([{"name": "consumer.offset.sync.ms", "value": "5000"}, mode])
        if path.endswith("/lags"):
            return 200, _rows([_committed(topic, offset) for topic, offset in self._sites.committed[site].items()])
        raise NotSimulated(f"{request.method} {request.url.path}")

    def _change(self, site: str, path: str, request: httpx.Request) -> Answer:
        if (verb := _VERB.fullmatch(path)) is not None:
            return self._alter(site, verb[1], json.loads(request.content), trial=_is_trial(request))
        if request.method == "DELETE" and path.startswith("/topics/"):
            return self._delete(site, path.rpartition("/")[2])
        if request.method == "POST" and path.endswith("/mirrors"):
            return self._mirror_anew(site, json.loads(request.content)["source_topic_name"])
        raise NotSimulated(f"{request.method} {request.url.path}")

    def _of_cluster(self, site: str) -> dict[str, Any]:
        return {
            "": {"cluster_id": f"lkc-{site}01"},
            "/topics": _rows([{"topic_name": topic, "partitions_count": 1} for topic in self._sites.topics[site]]),
            "/consumer-groups": _rows([{"consumer_group_id": "fulfilment", "state": self._sites.group_states[site]}]),
        }

    def _alter(self, site: str, verb: str, body: Any, *, trial: bool) -> Answer:
        topics = body["mirror_topic_names"]
        refused = verb == "reverse-and-start-mirror" and self._sites.link_mode != "BIDIRECTIONAL"
        if verb == "truncate-and-restore":
            if not trial:
                self._tell(f"the topics {', '.join(topics)} of {site} are truncated, to be mirrors again")
                self._sites.restore_mirrors(site, topics)
            return 200, _rows([{"mirror_topic_name": topic} | _NO_ERROR | _truncated() for topic in topics])
        if not trial and not refused:
            self._tell(f"the mirrors {', '.join(topics)} of {site} are {_DONE[verb]}")
            self._sites.stop_mirrors(site, topics, reverse=verb == "reverse-and-start-mirror")
        error = {"error_code": 40002, "error_message": "the link is not bidirectional"} if refused else _NO_ERROR
        return 200, _rows([{"mirror_topic_name": topic} | error for topic in topics])

    def _delete(self, site: str, topic: str) -> Answer:
        if topic not in self._sites.topics[site]:
            return 404, {"error_code": 40403, "message": "This server does not host this topic-partition."}
        self._tell(f"the topic {topic} of {site} is deleted")
        self._sites.delete_topic(site, topic)
        return 204, None

    def _mirror_anew(self, site: str, topic: str) -> Answer:
        if topic in self._sites.topics[site]:
            return 400, {"error_code": 40002, "message": f"Topic '{topic}' already exists."}
        self._tell(f"the topic {topic} is mirrored anew to {site}")
        self._sites.create_mirror(site, topic)
        return 204, None

    def _mirror(self, site: str, topic: str) -> dict[str, Any]:
        lag = (
            {"lag": 3, "last_source_fetch_offset": 97}
            if self._sites.lag_known
            else {"lag": 0, "last_source_fetch_offset": -1}
        )
        return {
            "mirror_topic_name": topic,
            "source_topic_name": topic,
            "mirror_status": self._sites.mirrors[site][topic],
            "mirror_topic_error": "NO_ERROR",
            "num_partitions": 1,
            "mirror_lags": [{"partition": 0} | lag],
        }


def _rows(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {"data": rows, "metadata": {"next": None}}


def _is_trial(request: httpx.Request) -> bool:
    return bool(request.url.params.get("validate_only") == "true")


def _truncated() -> dict[str, Any]:
    cut = {"partition_id": 0, "offset_truncated_to": LOG_END - STRANDED, "messages_truncated": STRANDED}
    return {"messages_truncated": STRANDED, "partition_level_truncation_data": [cut]}


def _committed(topic: str, offset: int) -> dict[str, Any]:
    return {"topic_name": topic, "partition_id": 0, "current_offset": offset, "log_end_offset": LOG_END}
