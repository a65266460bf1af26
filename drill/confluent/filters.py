"""The filters in a link's configuration: JSON that selects groups, topics or ACLs. Pure.

Format: Confluent's documentation of cluster links, e.g.
{"groupFilters":[{"name":"*","patternType":"LITERAL","filterType":"INCLUDE"}]} and
{"aclFilters":[{"resourceFilter":{"resourceType":"any","patternType":"any"},
"accessFilter":{"operation":"any","permissionType":"any"}}]}.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from drill.confluent.acls import ANY, Acl, AclFilter


@dataclass(frozen=True)
class NameFilter:
    """Selects names: of topics, or of groups."""

    name: str
    prefixed: bool
    include: bool

    def selects(self, name: str) -> bool:
        if self.name == "*":
            return True
        return name.startswith(self.name) if self.prefixed else name == self.name


def name_filters(text: str, key: str) -> tuple[NameFilter, ...]:
    """The rows under `groupFilters` or `topicFilters`; none of an empty text.

    Raises:
        ValueError, TypeError, KeyError, AttributeError: if the text is no such JSON.
    """
    return tuple(_name_filter(row) for row in json.loads(text)[key]) if text else ()


def _name_filter(row: dict[str, Any]) -> NameFilter:
    name, kind, pattern = row.get("name"), row.get("filterType"), row.get("patternType", "LITERAL")
    if not name or kind not in ("INCLUDE", "EXCLUDE") or pattern not in ("LITERAL", "PREFIXED"):
        raise ValueError(f"filter {row} needs name, patternType and filterType")
    return NameFilter(str(name), pattern == "PREFIXED", kind == "INCLUDE")


def selected(filters: Sequence[NameFilter], names: Iterable[str]) -> tuple[str, ...]:
    """The names that are included and not excluded, in their order."""
    included = [rule for rule in filters if rule.include]
    excluded = [rule for rule in filters if not rule.include]
    return tuple(
        name
        for name in names
        if any(rule.selects(name) for rule in included) and not any(rule.selects(name) for rule in excluded)
    )


def acl_filters(text: str) -> tuple[AclFilter, ...]:
    """The rows under `aclFilters`; none of an empty text.

    Raises:
        ValueError, TypeError, KeyError, AttributeError: if the text is no such JSON.
    """
    return tuple(_acl_filter(row) for row in json.loads(text)["aclFilters"]) if text else ()


def _acl_filter(row: dict[str, Any]) -> AclFilter:
    resource, access = row["resourceFilter"], row["accessFilter"]
    return AclFilter(
        resource_type=str(resource.get("resourceType", ANY)).upper(),
        resource_name=resource.get("name"),
        pattern_type=str(resource.get("patternType", ANY)).upper(),
        principal=access.get("principal"),
        host=access.get("host"),
        operation=str(access.get("operation", ANY)).upper(),
        permission=str(access.get("permissionType", ANY)).upper(),
    )


def synced_acls(local: frozenset[Acl], source: Iterable[Acl], filters: Sequence[AclFilter]) -> frozenset[Acl]:
    """The local ACLs after a sync: those of the source inside the filters, and none there that the source has not.

    It deletes what was made here independently, if the filters select it: so does the real link.
    """

    def inside(acl: Acl) -> bool:
        return any(rule.selects(acl) for rule in filters)

    return frozenset(acl for acl in local if not inside(acl)) | frozenset(filter(inside, source))
