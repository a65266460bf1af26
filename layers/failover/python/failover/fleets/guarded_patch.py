"""A patch that is done once, and only on what was looked at."""

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
