"""Patches that are done once, and only on what was looked at."""

from __future__ import annotations

from collections.abc import Sequence

from failover.errors import FleetRejected, FleetUnavailable
from failover.fleets.change_annotation import Change, change_of
from failover.fleets.kubernetes import Api, Object, Operation, PatchRefused


def patched(
    api: Api, resource: str, read: Object, operations: Sequence[Operation], change: Change, *, dry_run: bool = False
) -> Object:
    """An object with the operations done, and the change kept on it, if it is still as it was read.

    Raises:
        FleetUnavailable: somebody else was quicker; or as `Api.patch`.
        FleetRejected: the server does not take it.
    """
    name = read["metadata"]["name"]
    try:
        return api.patch(resource, name, [*operations, *change.operations(read)], dry_run=dry_run)
    except PatchRefused as error:
        now = api.get(resource, name)
        if change_of(now) != change_of(read) or now["metadata"]["generation"] != read["metadata"]["generation"]:
            raise FleetUnavailable(f"{name} of {api.where} was changed by somebody else meanwhile") from None
        raise FleetRejected(str(error)) from None


def scaled(api: Api, resource: str, read: Object, replicas: int) -> Object:
    """An object that asks for so many instances, if its spec is still as it was read. The last change that it carries
    stays: which pods it has reached is judged by that.

    Raises:
        FleetUnavailable: somebody else was quicker; or as `Api.patch`.
        FleetRejected: the server does not take it.
    """
    name, generation = read["metadata"]["name"], read["metadata"]["generation"]
    field, value = ("/spec/replicas", replicas) if "spec" in read else ("/spec", {"replicas": replicas})
    operations: list[Operation] = [
        {"op": "test", "path": "/metadata/generation", "value": generation},
        {"op": "add", "path": field, "value": value},
    ]
    try:
        return api.patch(resource, name, operations)
    except PatchRefused as error:
        if api.get(resource, name)["metadata"]["generation"] != generation:
            raise FleetUnavailable(f"{name} of {api.where} was changed by somebody else meanwhile") from None
        raise FleetRejected(str(error)) from None
