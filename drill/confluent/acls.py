"""The ACLs of a cluster: a table of bindings, and the filters that select from it.

The mock cluster has no authorizer, so an ACL is only ever read, never enforced.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Final

from pydantic import BaseModel, ConfigDict

ANY: Final = "ANY"


class Acl(BaseModel):
    """One binding, by the spec's words."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    resource_type: str
    resource_name: str
    pattern_type: str
    principal: str
    host: str
    operation: str
    permission: str


class AclFilter(BaseModel):
    """What selects bindings; None and ANY select all.

    A `pattern_type` MATCH selects what concerns the resource of that name, by whatever pattern
    (org.apache.kafka.common.resource.PatternType).
    """

    model_config = ConfigDict(frozen=True)

    resource_type: str | None = None
    resource_name: str | None = None
    pattern_type: str | None = None
    principal: str | None = None
    host: str | None = None
    operation: str | None = None
    permission: str | None = None

    def selects(self, acl: Acl) -> bool:
        return self._selects_resource(acl) and all(
            filtered in (None, ANY, value)
            for filtered, value in (
                (self.resource_type, acl.resource_type),
                (self.principal, acl.principal),
                (self.host, acl.host),
                (self.operation, acl.operation),
                (self.permission, acl.permission),
            )
        )

    def _selects_resource(self, acl: Acl) -> bool:
        match self.pattern_type:
            case None | "ANY":
                return self.resource_name in (None, acl.resource_name)
            case "MATCH":
                name = self.resource_name
                if name is None or acl.resource_name == "*":
                    return True
                return (
                    name.startswith(acl.resource_name) if acl.pattern_type == "PREFIXED" else name == acl.resource_name
                )
            case pattern:
                return pattern == acl.pattern_type and self.resource_name in (None, acl.resource_name)


class AclTable:
    """The bindings of a cluster. May be used by several threads."""

    def __init__(self, acls: Iterable[Acl] = ()) -> None:
        self._lock = threading.Lock()
        self._acls = frozenset(acls)

    def find(self, selection: AclFilter) -> list[Acl]:
        """The selected bindings, in a fixed order."""
        return sorted(filter(selection.selects, self._acls), key=lambda acl: tuple(acl.model_dump().values()))

    def add(self, acl: Acl) -> None:
        self.change(lambda acls: acls | {acl})

    def remove(self, selection: AclFilter) -> list[Acl]:
        """Remove the selected bindings; those that were there."""
        with self._lock:
            gone = self.find(selection)
            self._acls -= set(gone)
        return gone

    def change(self, change: Callable[[frozenset[Acl]], frozenset[Acl]]) -> None:
        """Put another set in place of this one."""
        with self._lock:
            self._acls = frozenset(change(self._acls))
