"""The clusters at the other ends of links, as far as the drill's wire can't tell: asked at their stand-in's control.

The real link asks the other cluster's brokers. So an answer is refused where those brokers can't be reached, and has
nothing to do with whether that cluster's REST API is up.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class PeerUnreachable(RuntimeError):
    """The other cluster did not answer, or can't be reached by its own doing."""


class PeerRefused(RuntimeError):
    """The other cluster answered that it can't."""


class Peer:
    """One other cluster. May be used by several threads; every method blocks, for `timeout_s` seconds at most.

    Every method raises `PeerUnreachable` or `PeerRefused`.
    """

    def __init__(self, control: str, timeout_s: float = 2.0) -> None:
        self._url = f"{control.rstrip('/')}/peer"
        self._timeout_s = timeout_s

    def answers(self) -> bool:
        """Whether the cluster's brokers can be reached."""
        try:
            self._call("GET", "")
        except (PeerUnreachable, PeerRefused):
            return False
        return True

    def topics(self) -> dict[str, dict[str, Any]]:
        """Every topic: `partitions`, and the `configs` that are not the default."""
        return dict(self._call("GET", "/topics"))

    def acls(self) -> list[dict[str, str]]:
        """Every ACL binding."""
        return list(self._call("GET", "/acls"))

    def link_mode(self, name: str) -> str | None:
        """The mode of the link of this name; None if there is none."""
        mode = self._call("GET", f"/links/{quote(name, safe='')}")["mode"]
        return None if mode is None else str(mode)

    def stopped(self, link: str) -> dict[str, list[int]]:
        """The mirrors under the link that are STOPPED, with their log ends at that moment."""
        return dict(self._call("GET", f"/links/{quote(link, safe='')}/stopped"))

    def fence(self, link: str, topics: list[str]) -> None:
        """Let these topics refuse writes from now on: they are to become mirrors."""
        self._call("POST", f"/links/{quote(link, safe='')}/fence", {"topics": topics})

    def mirror(self, link: str, log_ends: Mapping[str, list[int]], *, paused: bool) -> None:
        """Make mirrors of these topics, which were the sources of those here."""
        self._call("POST", f"/links/{quote(link, safe='')}/mirrors", {"topics": dict(log_ends), "paused": paused})

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._url + path, data, {"content-type": "application/json"}, method=method)
        try:
            with _OPENER.open(request, timeout=self._timeout_s) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            kind = PeerUnreachable if error.code == 503 else PeerRefused
            raise kind(f"{method} {self._url}{path}: {error.code}") from error
        except (OSError, ValueError) as error:
            raise PeerUnreachable(f"{method} {self._url}{path}: {error}") from error


class Peers:
    """The other clusters whose stand-ins are known, by cluster id."""

    def __init__(self, controls: Mapping[str, str]) -> None:
        self._peers = {cluster_id: Peer(control) for cluster_id, control in controls.items()}

    def of(self, cluster_id: str | None) -> Peer | None:
        """The peer of that id; None if none is known: what needs it is left undone then."""
        return None if cluster_id is None else self._peers.get(cluster_id)

    def set(self, cluster_id: str, control: str) -> None:
        self._peers[cluster_id] = Peer(control)
