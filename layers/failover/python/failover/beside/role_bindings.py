"""The role bindings of a cluster, by Confluent Cloud's IAM API (https://docs.confluent.io/cloud/current/api.html)."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel, ValidationError

from failover.beside.json_api import JsonApi
from failover.errors import ServiceUnavailable

WHAT: Final = "the IAM API"
_PAGES_AT_MOST: Final = 100
_PAGE: Final = "100"

Binding = tuple[str, str, str]
"""Principal, role, and of what, without the cluster's own name."""


class _Row(BaseModel):
    principal: str
    role_name: str
    crn_pattern: str


class _Links(BaseModel):
    next: str | None = None


class _Page(BaseModel):
    data: list[_Row]
    metadata: _Links = _Links()


def role_bindings(api: JsonApi, crn: str) -> frozenset[Binding]:
    """Every binding of a cluster and of what is in it.

    Raises:
        ServiceUnavailable, ServiceRejected, CredentialsMissing
    """
    cluster = crn.rpartition("=")[2]
    rows: set[Binding] = set()
    path, query = "/iam/v2/role-bindings", {"crn_pattern": f"{crn}/*", "page_size": _PAGE}
    for _ in range(_PAGES_AT_MOST):
        try:
            page = _Page.model_validate(api.get(path, **query))
        except ValidationError:
            raise ServiceUnavailable("the IAM API told role bindings that can't be read") from None
        rows.update(
            (row.principal, row.role_name, row.crn_pattern.removeprefix(crn).replace(f"={cluster}", "="))
            for row in page.data
        )
        if not page.metadata.next:
            return frozenset(rows)
        path, query = page.metadata.next, {}
    raise ServiceUnavailable("the IAM API's list of role bindings has no last page")
