"""A Gateway resource's route, as whoever renders one and whoever changes it read it alike: where it leads, whether it
is fenced, and the id that certifies both. No I/O.

Fields: platform.confluent.io/v1beta1.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping
from typing import Any, Final

HEADERS: Final = "extensionHeaders"


def hot_reload(spec: Mapping[str, Any]) -> bool:
    """Whether a Gateway's spec has hot reload on: `enabled` has no default, so without it, it is off."""
    reload = spec.get("hotReload")
    return isinstance(reload, dict) and reload.get("enabled") is True


def is_fenced(route: Mapping[str, Any]) -> bool:
    """Whether a route answers every request with an error: its fence has a scope, and that may be none."""
    return str((route.get("fence") or {}).get("scope")).upper() == "ALL"


def extension_headers(route: Mapping[str, Any]) -> dict[str, str]:
    """What a route adds to the tokens that pass through it."""
    return dict(((route.get("security") or {}).get("cluster") or {}).get(HEADERS) or {})


def certificate(spec: Mapping[str, Any], index: int) -> str:
    """What an id must hold to certify a route of a spec: a digest of where it leads."""
    route = spec["routes"][index]
    to = route.get("streamingDomain") or {}
    servers = [
        (server.get("id"), server.get("endpoint"))
        for domain in spec.get("streamingDomains") or []
        if domain.get("name") == to.get("name")
        for server in (domain.get("kafkaCluster") or {}).get("bootstrapServers") or []
        if server.get("id") == to.get("bootstrapServerId")
    ]
    store = (route.get("security") or {}).get("secretStore")
    leads = [route.get("name"), to.get("name"), servers, store, is_fenced(route)]
    if headers := extension_headers(route):
        leads.append(sorted(headers.items()))
    return hashlib.sha256(json.dumps(leads).encode()).hexdigest()[:16]


def config_id(spec: Mapping[str, Any], index: int) -> str:
    """A fresh id that certifies a route of a spec (`^[a-zA-Z0-9._:-]{1,64}$`)."""
    return f"fo-{certificate(spec, index)}-{uuid.uuid4().hex[:12]}"


def certifies(identity: str, spec: Mapping[str, Any], index: int) -> bool:
    """Whether an id was made for a route of a spec as it is now."""
    return identity.startswith(f"fo-{certificate(spec, index)}-")
