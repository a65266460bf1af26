"""The credentials of an auth swap: the clients' own logins from a JAAS file, the cluster's from a secret store.

The store's secret `<prefixPath><client>` holds `<user><separator><password>`; both are put into the two %s of the
cluster's JAAS template. Of the stores, AWS Secrets Manager is done here.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from drill.gateway.config import BadGatewayConfig, Gateway, RouteConfig, Sasl, SecretStore
from drill.kafka.sasl import PLAIN

_QUOTED: Final = r'"((?:[^"\\]|\\.)*)"'
_USER: Final = re.compile(rf"\buser_([^\s=]+)\s*=\s*{_QUOTED}")
_LOGIN: Final = re.compile(rf"\busername\s*=\s*{_QUOTED}\s+password\s*=\s*{_QUOTED}")


class NoLogin(LookupError):
    """There are no credentials for the cluster; the client's login fails."""


@dataclass(kw_only=True)
class SwapCounts:
    """What an auth swap has done since the gateway started."""

    clients: Counter[str] = field(default_factory=Counter)
    cluster: Counter[str] = field(default_factory=Counter)
    lookups: int = 0
    lookup_seconds: float = 0.0


class Credentials:
    """The logins of one route.

    Raises:
        BadGatewayConfig: if they are not described in full, or in a way that is not done here.
    """

    def __init__(self, gateway: Gateway, config: RouteConfig, counts: SwapCounts) -> None:
        swap = config.security.swap_config
        if swap is None:
            raise BadGatewayConfig(f"route {config.name!r}: security.auth 'swap' needs swapConfig")
        self.counts = counts
        sasl = swap.client_auth.sasl
        if sasl is None:
            raise BadGatewayConfig(f"route {config.name!r}: clientAuth without sasl is not done by this stand-in")
        self.max_session_ms = sasl.connections_max_reauth_ms or swap.client_auth.connections_max_re_auth_ms
        self.clients = _users(_jaas(config.name, "clientAuth", sasl))
        self._template = _jaas(config.name, "clusterAuth", swap.cluster_auth.sasl)
        if self._template.count("%s") != 2:
            raise BadGatewayConfig(f"route {config.name!r}: the JAAS template of clusterAuth needs two %s")
        self._store = _store(gateway, swap.secret_store)
        self._secrets: Any = None

    async def cluster_login(self, client: str) -> tuple[str, str]:
        """User and password for the cluster, of a client.

        Raises:
            NoLogin: if the store has none, or does not answer.
        """
        started = time.perf_counter()
        try:
            secret = await asyncio.to_thread(self._secret_of, client)
        finally:
            self.counts.lookups += 1
            self.counts.lookup_seconds += time.perf_counter() - started
        user, separator, password = secret.partition(str(self._store.provider.config.get("separator", "/")))
        if not separator:
            raise NoLogin(f"the secret of client {client!r} does not hold a user and a password")
        return _login(self._template % (user, password))

    def _secret_of(self, client: str) -> str:
        import boto3  # only where credentials are swapped: it takes long to import
        from botocore.exceptions import BotoCoreError, ClientError

        if self._secrets is None:
            self._secrets = boto3.client("secretsmanager", region_name=self._store.provider.config.get("region"))
        name = f"{self._store.provider.config.get('prefixPath', '')}{client}"
        try:
            return str(self._secrets.get_secret_value(SecretId=name)["SecretString"])
        except (BotoCoreError, ClientError, KeyError) as error:
            raise NoLogin(f"no secret {name}: {error}") from None


def _store(gateway: Gateway, name: str) -> SecretStore:
    for store in gateway.secret_stores:
        if store.name == name:
            if store.provider.type != "AWS":
                raise BadGatewayConfig(f"secret store {name!r}: {store.provider.type} is not done by this stand-in")
            return store
    raise BadGatewayConfig(f"a route swaps credentials from the secret store {name!r}, which is none of secretStores")


def _jaas(route: str, side: str, sasl: Sasl) -> str:
    if sasl.mechanism != PLAIN:
        raise BadGatewayConfig(f"route {route!r}, {side}: mechanism {sasl.mechanism} is not done by this stand-in")
    if sasl.jaas_config is None:
        raise BadGatewayConfig(f"route {route!r}, {side}: mechanism PLAIN needs jaasConfig.file")
    try:
        return Path(sasl.jaas_config.file).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise BadGatewayConfig(f"route {route!r}, {side}: can't read its JAAS file: {error}") from None


def _users(jaas: str) -> Mapping[str, str]:
    return {user: _plain(password) for user, password in _USER.findall(jaas)}


def _login(jaas: str) -> tuple[str, str]:
    match = _LOGIN.search(jaas)
    if match is None:
        raise NoLogin("the JAAS template of clusterAuth, filled in, names no username and password")
    return _plain(match[1]), _plain(match[2])


def _plain(quoted: str) -> str:
    return re.sub(r"\\(.)", r"\1", quoted)
