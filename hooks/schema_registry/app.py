"""An example of a hook: Schema Registry turns with its cluster. Deploy it as a Lambda function of your own.

Before the fence it pauses the exporter that feeds the standby's registry, so that no half of a change arrives later;
once the standby is writable it opens that registry for writes. After a switch back, or a switchover that was given up,
it has the registry that clients left import again, and the exporter run. Each call looks first, and changes only what
is not as it has to be: it may be called as often as you like
(https://docs.confluent.io/platform/current/schema-registry/develop/api.html).

Environment: `REGISTRIES`, JSON: by site `url`, `user`, `exporter` (the one on that registry that feeds the other), and
`secret`, the name of a secret whose text is the password.
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import boto3
import httpx

TIMEOUT_S: Final = 3.0
Answer = dict[str, str]


class Registry:
    """One site's Schema Registry."""

    def __init__(self, site: str) -> None:
        described = json.loads(os.environ["REGISTRIES"])[site]
        self.exporter = str(described.get("exporter", ""))
        login = (described["user"], _password(described["secret"]))
        self._http = httpx.Client(base_url=described["url"], auth=login, timeout=TIMEOUT_S)

    def set_mode(self, mode: str) -> None:
        """Have the registry work in a mode: READWRITE, READONLY or IMPORT."""
        if self._get("/mode")["mode"] != mode:
            # IMPORT is refused by a registry that holds subjects, but for `force`.
            self._put("/mode", {"mode": mode}, force=str(mode == "IMPORT").lower())

    def pause_exporter(self) -> None:
        """Have its exporter stand still."""
        if self.exporter and self._exporter_state() != "PAUSED":
            self._put(f"/exporters/{self.exporter}/pause")

    def resume_exporter(self) -> None:
        """Have its exporter run."""
        if self.exporter and self._exporter_state() == "PAUSED":
            self._put(f"/exporters/{self.exporter}/resume")

    def _exporter_state(self) -> str:
        return str(self._get(f"/exporters/{self.exporter}/status")["state"])

    def _get(self, path: str) -> dict[str, Any]:
        return dict(self._http.get(path).raise_for_status().json())

    def _put(self, path: str, body: Mapping[str, str] | None = None, **query: str) -> None:
        self._http.put(path, json=body, params=query).raise_for_status()


@dataclass(frozen=True)
class Turn:
    """What is done at a turn: to the registry of the site that is left, and to the one that takes over."""

    left: Callable[[Registry], None] | None = None
    taking_over: Callable[[Registry], None] | None = None


TURNS: Final[dict[str, Turn]] = {
    "before-fence": Turn(left=Registry.pause_exporter),
    "after-promotion": Turn(taking_over=lambda registry: registry.set_mode("READWRITE")),
    "after-name": Turn(),
    "after-switch-back": Turn(left=lambda registry: registry.set_mode("IMPORT"), taking_over=Registry.resume_exporter),
}


def handler(event: Mapping[str, Any], context: Any) -> Answer:
    """Do what the turn asks for. A site that is lost does not answer: that holds no failover up, and is said."""
    turn = TURNS[event["moment"]]
    left, taking_over = event["from"], event["to"]
    if event["put_back"]:
        left, taking_over = taking_over, left
    notes = []
    for site, act in ((left, turn.left), (taking_over, turn.taking_over)):
        if act is None:
            continue
        try:
            act(Registry(site))
        except httpx.TransportError as error:
            if not (event["kind"] == "failover" and site == event["from"]):
                return {"status": "waiting", "why": f"the registry of {site} does not answer: {error}"}
            notes.append(f"the registry of {site} does not answer, and was left as it is")
    return {"status": "done", "why": "; ".join(notes)}


@functools.cache
def _password(secret: str) -> str:
    return str(boto3.client("secretsmanager").get_secret_value(SecretId=secret)["SecretString"])
