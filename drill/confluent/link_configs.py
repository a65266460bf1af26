"""The configuration of a cluster link: names, defaults, what may be changed, and what a change drags along. Pure.

Names and defaults: Confluent's Terraform provider (test data of a created link), and its documentation.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

OFFSET_SYNC: Final = "consumer.offset.sync.enable"
OFFSET_SYNC_MS: Final = "consumer.offset.sync.ms"
GROUP_FILTERS: Final = "consumer.offset.group.filters"
ACL_SYNC: Final = "acl.sync.enable"
ACL_FILTERS: Final = "acl.filters"
AUTO_CREATE: Final = "auto.create.mirror.topics.enable"
AUTO_CREATE_FILTERS: Final = "auto.create.mirror.topics.filters"
LINK_PAUSED: Final = "cluster.link.paused"

DEFAULTS: Final[Mapping[str, str]] = {
    "link.mode": "DESTINATION",
    "connection.mode": "OUTBOUND",
    "cluster.link.prefix": "",
    OFFSET_SYNC: "false",
    GROUP_FILTERS: "",
    OFFSET_SYNC_MS: "30000",
    "consumer.group.prefix.enable": "false",
    ACL_SYNC: "false",
    ACL_FILTERS: "",
    "acl.sync.ms": "5000",
    AUTO_CREATE: "false",
    AUTO_CREATE_FILTERS: "",
    "topic.config.sync.ms": "5000",
    LINK_PAUSED: "false",
    "cluster.link.retry.timeout.ms": "300000",
    "availability.check.ms": "60000",
    "client.dns.lookup": "use_all_dns_ips",
    "connections.max.idle.ms": "600000",
    "metadata.max.age.ms": "300000",
    "mirror.start.offset.spec": "earliest",
    "security.protocol": "SASL_SSL",
    "sasl.mechanism": "PLAIN",
    "sasl.jaas.config": "",
}
READ_ONLY: Final = frozenset({"link.mode", "connection.mode", "cluster.link.prefix", "cluster.link.retry.timeout.ms"})
SENSITIVE: Final = frozenset({"sasl.jaas.config"})
CLEARED_WITH: Final[Mapping[str, str]] = {
    OFFSET_SYNC: GROUP_FILTERS,
    ACL_SYNC: ACL_FILTERS,
    AUTO_CREATE: AUTO_CREATE_FILTERS,
}
"""Turning one of these features off clears its filters, and turning it on again does not bring them back."""


class ConfigRefused(ValueError):
    """A link configuration that can't be changed this way."""

    def __init__(self, name: str, why: str, code: int = 40002) -> None:
        super().__init__(f"Invalid config '{name}': {why}")
        self.code = code


@dataclass(frozen=True)
class Change:
    """One configuration to be set, or with `value` None to be put back to its default."""

    name: str
    value: str | None


@dataclass(frozen=True)
class LinkConfigs:
    """What is set on a link; everything else has its default."""

    values: Mapping[str, str] = field(default_factory=dict)

    def value(self, name: str) -> str:
        """The value in force.

        Raises:
            KeyError: if there is no such configuration.
        """
        return self.values.get(name, DEFAULTS[name])

    def flag(self, name: str) -> bool:
        return self.value(name).lower() == "true"

    def changed(self, changes: Iterable[Change]) -> LinkConfigs:
        """All changes, or none.

        Raises:
            ConfigRefused: naming the first that can't be made.
        """
        values = dict(self.values)
        for change in changes:
            _check(change)
            if change.value is None:
                values.pop(change.name, None)
            else:
                values[change.name] = change.value
            if change.name in CLEARED_WITH and values.get(change.name, "false").lower() == "false":
                values.pop(CLEARED_WITH[change.name], None)
        return replace(self, values=values)

    def synced_groups(self, known: Iterable[str]) -> tuple[str, ...]:
        """Which of the known groups the group filters select; none while offset sync is off."""
        if not self.flag(OFFSET_SYNC):
            return ()
        filters = _filters(self.value(GROUP_FILTERS), "groupFilters")
        included = [f for f in filters if f.get("filterType") == "INCLUDE"]
        excluded = [f for f in filters if f.get("filterType") == "EXCLUDE"]
        return tuple(
            group
            for group in known
            if any(_selects(f, group) for f in included) and not any(_selects(f, group) for f in excluded)
        )

    def offset_sync_configured(self) -> bool:
        """Whether ConsumerOffsetSync does anything: it is on, and its filters name a group."""
        return self.flag(OFFSET_SYNC) and bool(_filters(self.value(GROUP_FILTERS), "groupFilters"))

    def acl_sync_configured(self) -> bool:
        """Whether AclSync does anything."""
        return self.flag(ACL_SYNC) and bool(self.value(ACL_FILTERS))

    def auto_create_configured(self) -> bool:
        """Whether AutoCreateMirror does anything."""
        return self.flag(AUTO_CREATE) and bool(self.value(AUTO_CREATE_FILTERS))

    @property
    def offset_sync_s(self) -> float:
        return int(self.value(OFFSET_SYNC_MS)) / 1000


def initial(groups: Iterable[str], offset_sync_s: float) -> LinkConfigs:
    """A link as the drill sets it up: bidirectional, with offset sync for these groups (off if there are none)."""
    values = {"link.mode": "BIDIRECTIONAL", "sasl.jaas.config": "(not used: the drill's clusters are plaintext)"}
    names = list(groups)
    if names:
        rows = [{"name": name, "patternType": "LITERAL", "filterType": "INCLUDE"} for name in names]
        values |= {
            OFFSET_SYNC: "true",
            OFFSET_SYNC_MS: str(round(offset_sync_s * 1000)),
            GROUP_FILTERS: json.dumps({"groupFilters": rows}, separators=(",", ":")),
        }
    return LinkConfigs(values)


def _check(change: Change) -> None:
    if change.name not in DEFAULTS:
        raise ConfigRefused(change.name, "Unknown cluster link config")
    if change.name in READ_ONLY:
        raise ConfigRefused(change.name, "Config is read-only")
    if change.value is None:
        return
    default = DEFAULTS[change.name]
    if default in ("true", "false") and change.value.lower() not in ("true", "false"):
        raise ConfigRefused(change.name, "Expected value to be either true or false")
    if change.name.endswith(".ms") and not (change.value.isdecimal() and int(change.value) > 0):
        raise ConfigRefused(change.name, "Not a positive number of milliseconds")
    if change.name == GROUP_FILTERS and change.value:
        try:
            _filters(change.value, "groupFilters")
        except (ValueError, TypeError, AttributeError) as error:
            raise ConfigRefused(change.name, f"Not a JSON of group filters: {error}") from None


def _filters(text: str, key: str) -> list[dict[str, str]]:
    if not text:
        return []
    rows = json.loads(text)[key]
    for row in rows:
        if row.get("filterType") not in ("INCLUDE", "EXCLUDE") or not row.get("name"):
            raise ValueError(f"filter {row} needs name, patternType and filterType")
    return list(rows)


def _selects(row: Mapping[str, str], group: str) -> bool:
    if row["name"] == "*":
        return True
    return group.startswith(row["name"]) if row.get("patternType") == "PREFIXED" else group == row["name"]
