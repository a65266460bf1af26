"""The configuration of a cluster link: names, defaults, what may be changed, and what a change drags along. Pure.

Names and defaults: Confluent's Terraform provider (test data of a created link), and its documentation.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from drill.confluent.acls import AclFilter
from drill.confluent.filters import acl_filters, name_filters, selected

LINK_MODE: Final = "link.mode"
CONNECTION_MODE: Final = "connection.mode"
PREFIX: Final = "cluster.link.prefix"
BOOTSTRAP: Final = "bootstrap.servers"
OFFSET_SYNC: Final = "consumer.offset.sync.enable"
OFFSET_SYNC_MS: Final = "consumer.offset.sync.ms"
GROUP_FILTERS: Final = "consumer.offset.group.filters"
GROUP_PREFIX: Final = "consumer.group.prefix.enable"
ACL_SYNC: Final = "acl.sync.enable"
ACL_SYNC_MS: Final = "acl.sync.ms"
ACL_FILTERS: Final = "acl.filters"
AUTO_CREATE: Final = "auto.create.mirror.topics.enable"
AUTO_CREATE_FILTERS: Final = "auto.create.mirror.topics.filters"
TOPIC_CONFIG_SYNC_MS: Final = "topic.config.sync.ms"
LINK_PAUSED: Final = "cluster.link.paused"

DESTINATION, SOURCE, BIDIRECTIONAL = "DESTINATION", "SOURCE", "BIDIRECTIONAL"

DEFAULTS: Final[Mapping[str, str]] = {
    LINK_MODE: DESTINATION,
    CONNECTION_MODE: "OUTBOUND",
    PREFIX: "",
    BOOTSTRAP: "",
    OFFSET_SYNC: "false",
    GROUP_FILTERS: "",
    OFFSET_SYNC_MS: "30000",
    GROUP_PREFIX: "false",
    ACL_SYNC: "false",
    ACL_FILTERS: "",
    ACL_SYNC_MS: "5000",
    AUTO_CREATE: "false",
    AUTO_CREATE_FILTERS: "",
    TOPIC_CONFIG_SYNC_MS: "5000",
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
    "local.security.protocol": "SASL_SSL",
    "local.sasl.mechanism": "PLAIN",
    "local.sasl.jaas.config": "",
}
AT_CREATION: Final = frozenset({LINK_MODE, CONNECTION_MODE, PREFIX})
"""Fixed when the link is created."""
READ_ONLY: Final = AT_CREATION | {"cluster.link.retry.timeout.ms"}
SENSITIVE: Final = frozenset({"sasl.jaas.config", "local.sasl.jaas.config"})
IGNORED: Final = frozenset({"link.prefix"})
"""Writes that the real link takes without a word and without effect (seen in Confluent's migration tool)."""
CLEARED_WITH: Final[Mapping[str, str]] = {
    OFFSET_SYNC: GROUP_FILTERS,
    ACL_SYNC: ACL_FILTERS,
    AUTO_CREATE: AUTO_CREATE_FILTERS,
}
"""Turning one of these features off clears its filters, and turning it on again does not bring them back."""
_FILTERS: Final[Mapping[str, tuple[str, Callable[[str], object]]]] = {
    GROUP_FILTERS: ("group filters", lambda text: name_filters(text, "groupFilters")),
    AUTO_CREATE_FILTERS: ("topic filters", lambda text: name_filters(text, "topicFilters")),
    ACL_FILTERS: ("ACL filters", acl_filters),
}


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

    def seconds(self, name: str) -> float:
        """A duration, which is configured in milliseconds."""
        return int(self.value(name)) / 1000

    def changed(self, changes: Iterable[Change]) -> LinkConfigs:
        """All changes, or none.

        Raises:
            ConfigRefused: naming the first that can't be made.
        """
        return self._changed(changes, READ_ONLY)

    def _changed(self, changes: Iterable[Change], read_only: frozenset[str]) -> LinkConfigs:
        values = dict(self.values)
        for change in changes:
            if change.name in IGNORED:
                continue
            _check(change, read_only)
            if change.value is None:
                values.pop(change.name, None)
            else:
                values[change.name] = change.value
            if change.name in CLEARED_WITH and values.get(change.name, "false").lower() == "false":
                values.pop(CLEARED_WITH[change.name], None)
        made = replace(self, values=values)
        made._check_combination()
        return made

    def _check_combination(self) -> None:
        """Raise ConfigRefused for features that exclude each other (Confluent's documentation)."""
        if self.prefix and self.flag(ACL_SYNC):
            raise ConfigRefused(ACL_SYNC, f"ACL sync can't be used with {PREFIX}")
        if self.flag(GROUP_PREFIX) and self.mode == BIDIRECTIONAL:
            raise ConfigRefused(GROUP_PREFIX, "not supported on bidirectional links")

    @property
    def mode(self) -> str:
        """DESTINATION, SOURCE or BIDIRECTIONAL."""
        return self.value(LINK_MODE)

    @property
    def prefix(self) -> str:
        """What the name of a mirror has before the name of its source."""
        return self.value(PREFIX)

    def synced_groups(self, groups: Iterable[str]) -> tuple[str, ...]:
        """Which of the known groups the group filters select; none while offset sync is off."""
        if not self.flag(OFFSET_SYNC):
            return ()
        return selected(name_filters(self.value(GROUP_FILTERS), "groupFilters"), groups)

    def auto_created(self, topics: Iterable[str]) -> tuple[str, ...]:
        """Which of the source's topics are mirrored without being asked for."""
        if not self.flag(AUTO_CREATE):
            return ()
        return selected(name_filters(self.value(AUTO_CREATE_FILTERS), "topicFilters"), topics)

    def synced_acls(self) -> tuple[AclFilter, ...]:
        """What selects the ACLs that are synced; nothing while ACL sync is off."""
        return acl_filters(self.value(ACL_FILTERS)) if self.flag(ACL_SYNC) else ()

    def configured(self, feature: str) -> bool:
        """Whether one of `CLEARED_WITH` does anything: it is on, and its filters are not empty."""
        filters = self.value(CLEARED_WITH[feature])
        return self.flag(feature) and bool(filters) and bool(_FILTERS[CLEARED_WITH[feature]][1](filters))


def created(changes: Iterable[Change]) -> LinkConfigs:
    """The configuration of a new link.

    Raises:
        ConfigRefused
    """
    configs = LinkConfigs()._changed(changes, READ_ONLY - AT_CREATION)
    if configs.mode not in (DESTINATION, SOURCE, BIDIRECTIONAL):
        raise ConfigRefused(LINK_MODE, f"{configs.mode} is no mode of a cluster link")
    return configs


def initial(groups: Iterable[str], offset_sync_s: float, more: Mapping[str, str]) -> LinkConfigs:
    """A link as the drill sets it up: bidirectional, with offset sync for these groups (off if there are none).

    Raises:
        ConfigRefused: if `more` is not possible.
    """
    values = {LINK_MODE: BIDIRECTIONAL, "sasl.jaas.config": "(not used: the drill's clusters are plaintext)"}
    names = list(groups)
    if names:
        rows = [{"name": name, "patternType": "LITERAL", "filterType": "INCLUDE"} for name in names]
        values |= {
            OFFSET_SYNC: "true",
            OFFSET_SYNC_MS: str(round(offset_sync_s * 1000)),
            GROUP_FILTERS: json.dumps({"groupFilters": rows}, separators=(",", ":")),
        }
    return created(Change(name, value) for name, value in {**values, **more}.items())


def _check(change: Change, read_only: frozenset[str]) -> None:
    name, value = change.name, change.value
    if name not in DEFAULTS:
        raise ConfigRefused(name, "Unknown cluster link config")
    if name in read_only:
        raise ConfigRefused(name, "Config is read-only")
    if value is None:
        return
    if DEFAULTS[name] in ("true", "false") and value.lower() not in ("true", "false"):
        raise ConfigRefused(name, "Expected value to be either true or false")
    if name.endswith(".ms") and not (value.isdecimal() and int(value) > 0):
        raise ConfigRefused(name, "Not a positive number of milliseconds")
    if name in _FILTERS and value:
        what, parse = _FILTERS[name]
        try:
            parse(value)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ConfigRefused(name, f"Not a JSON of {what}: {error}") from None
