"""One gateway container: takes clients on its own ports, as a container publishes them, and advertises the route's.

Admin server: `/livez` is 200 as soon as it is up, whatever the upstream does, `/metrics` has the engine's names, and
`/config` the id of the applied configuration (images from 1.3.0 on). With hot reload, the file that
GATEWAY_CONFIG_FILE names is watched; a changed one is applied in place, if the licence allows that, and else ignored
without a word.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from drill.gateway.config import BadGatewayConfig, Gateway, RouteConfig, address, from_environment
from drill.gateway.metrics import exposition
from drill.gateway.route import Served, route_of
from drill.gateway.unserved import refuse_unserved
from drill.network import admin_http
from drill.network.admin_http import Reply, as_json
from drill.ports import LOOPBACK
from drill.process import announce, argument, exit_with_parent

LOG = logging.getLogger(__name__)
ENTERPRISE: Final = "enterprise"
ROUTES_OF_A_TRIAL: Final = 4
CONFIG_SINCE: Final = (1, 3)
FENCE_SINCE: Final = (1, 2)
LOOK_EVERY_S: Final = 0.1

Stamp = tuple[int, int]
"""What tells one version of a file from the next."""


@dataclass(frozen=True, kw_only=True)
class InstanceConfig:
    """What the process is told beside its environment. Durations in seconds.

    With `own_ports` it listens on the ports of the routes' endpoints, as the container does inside; else on free ones.
    `version` is the image's. `hot_reload`: watch the configuration's file.
    """

    listen_host: str = LOOPBACK
    own_ports: bool = False
    version: str = "1.4.0"
    hot_reload: bool = False
    drain_timeout_s: float = 10.0


class ReloadRejected(RuntimeError):
    """A reload that is refused before anything of it is done."""


class Instance:
    """The routes of one container, and its admin server.

    Raises:
        BadGatewayConfig: if a route can't be served.
    """

    def __init__(self, gateway: Gateway, settings: InstanceConfig, licence: str) -> None:
        self._gateway = gateway
        self._settings = settings
        self._version = tuple(map(int, settings.version.split(".")[:2]))
        self._licence = licence
        self._applied_at = datetime.now(UTC)
        self._reloading = False
        self._reconfigured: Counter[str] = Counter()
        if len(gateway.routes) > ROUTES_OF_A_TRIAL and not licence:
            raise BadGatewayConfig(f"{len(gateway.routes)} routes need a licence; a trial has {ROUTES_OF_A_TRIAL}")
        self._refuse_unknown(gateway)
        self._served = {
            config.name: Served(
                gateway, config, settings.listen_host, address(config.endpoint)[1] if settings.own_ports else 0
            )
            for config in gateway.routes
        }

    async def run(self, watched: Path | None, stamp: Stamp) -> None:
        """Announce the ports and serve until the process ends; apply what changes in the watched file.

        `stamp`: what it was before it was read, so that no change goes by between reading and watching it.
        """
        doors: dict[tuple[str, str], admin_http.Handler] = {("GET", "/livez"): lambda _: (200, "text/plain", b"OK")}
        if self._version >= CONFIG_SINCE:
            doors["GET", "/config"] = self._config
        if self._gateway.admin.endpoints.metrics:
            doors["GET", "/metrics"] = self._metrics
        admin = await admin_http.serve(doors, self._settings.listen_host)
        for served in self._served.values():
            served.start()
        announce(
            {
                "routes": {name: served.ports[0] for name, served in self._served.items()},
                "brokers": {name: served.ports[1:] for name, served in self._served.items()},
                "admin_port": admin,
            }
        )
        if watched is not None and self._settings.hot_reload:
            await self._watch(watched, stamp)
        await asyncio.Event().wait()

    async def reload(self, gateway: Gateway) -> None:
        """Replace every route that is changed, each by itself.

        Raises:
            ReloadRejected: if another is under way, or the change is none that can be made in place.
        BadGatewayConfig: if a changed route can't be served.
        """
        if self._reloading:
            raise ReloadRejected("another reload is under way")
        changed = self._changed(gateway)
        routes = {name: route_of(gateway, config, self._served[name].swaps) for name, config in changed.items()}
        self._reloading = True
        try:
            outcomes = await asyncio.gather(
                *(self._served[name].replace(route, self._settings.drain_timeout_s) for name, route in routes.items()),
                return_exceptions=True,
            )
        finally:
            self._reloading = False
        failures = [outcome for outcome in outcomes if outcome is not None]
        for failure in failures:
            LOG.error("a route failed: %s", failure)
        self._reconfigured["partial_failure" if failures else "success"] += 1
        self._gateway, self._applied_at = gateway, datetime.now(UTC)

    def _changed(self, gateway: Gateway) -> Mapping[str, RouteConfig]:
        self._refuse_unknown(gateway)
        if [route.name for route in gateway.routes] != [route.name for route in self._gateway.routes]:
            raise ReloadRejected("routes were added or removed")
        for part in ("name", "admin", "advanced", "streaming_domains", "secret_stores", "schema_validation"):
            if getattr(gateway, part) != getattr(self._gateway, part):
                raise ReloadRejected(f"{part} can't be changed in place")
        before = {route.name: route for route in self._gateway.routes}
        return {route.name: route for route in gateway.routes if route != before[route.name]}

    def _refuse_unknown(self, gateway: Gateway) -> None:
        refuse_unserved(gateway)
        if self._version < FENCE_SINCE and any(route.fence is not None for route in gateway.routes):
            raise BadGatewayConfig("this version knows no field `fence`")

    async def _watch(self, path: Path, stamp: Stamp) -> None:
        """Apply the file whenever it is another one; an unlicensed watcher does nothing, and says nothing."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            if (now := _stamp(path)) == stamp:
                continue
            stamp = now
            if ENTERPRISE not in self._licence:
                continue
            try:
                await self.reload(from_environment(os.environ))
            except (BadGatewayConfig, ReloadRejected) as error:
                LOG.error("reload rejected: %s", error)

    def _config(self, _: Any) -> Reply:
        return as_json({"configId": self._gateway.config_id, "appliedAt": self._applied_at.isoformat()})

    def _metrics(self, _: Any) -> Reply:
        text = exposition(self._served, self._reconfigured, self._gateway.admin.common_tags)
        return 200, "text/plain; version=0.0.4; charset=utf-8", text


def _stamp(path: Path) -> Stamp:
    """A mounted ConfigMap is replaced as a whole."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return 0, 0
    return status.st_mtime_ns, status.st_ino


def main() -> None:
    settings = InstanceConfig(**json.loads(argument("InstanceConfig")))
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    exit_with_parent()
    file = os.environ.get("GATEWAY_CONFIG_FILE")
    watched = Path(file) if file else None
    stamp = _stamp(watched) if watched else (0, 0)
    try:
        instance = Instance(from_environment(os.environ), settings, os.environ.get("GATEWAY_LICENSES", ""))
    except BadGatewayConfig as error:
        sys.stderr.write(f"the gateway can't start: {error}\n")
        sys.exit(1)
    gc.freeze()  # what is there now stays to the end: no client waits while it is looked through
    asyncio.run(instance.run(watched, stamp))


if __name__ == "__main__":
    main()
