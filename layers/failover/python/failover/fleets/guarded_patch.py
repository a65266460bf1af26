"""Patches that are done once, and only on what was looked at."""

from __future__ import annotations

from collections.abc import Callable, Sequence

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
    return _patched(
        api,
        resource,
        read,
        [*operations, *change.operations(read)],
        dry_run=dry_run,
        is_as_read=lambda now: change_of(now) == change_of(read) and _generation(now) == _generation(read),
    )


def scaled(api: Api, resource: str, read: Object, replicas: int) -> Object:
    """An object that asks for so many instances, if its spec is still as it was read. The last change that it carries
    stays: which pods it has reached is judged by that.

    Raises:
        FleetUnavailable: somebody else was quicker; or as `Api.patch`.
        FleetRejected: the server does not take it.
    """
    operations: list[Operation] = [
        {"op": "test", "path": "/metadata/generation", "value": _generation(read)},
        asking_for(read, replicas),
    ]
    return _patched(api, resource, read, operations, is_as_read=lambda now: _generation(now) == _generation(read))


def asking_for(read: Object, replicas: int) -> Operation:
    """The operation by which an object asks for so many instances."""
    if "spec" in read:
        return {"op": "add", "path": "/spec/replicas", "value": replicas}
    return {"op": "add", "path": "/spec", "value": {"replicas": replicas}}


def _patched(
    api: Api,
    resource: str,
    read: Object,
    operations: Sequence[Operation],
    *,
    is_as_read: Callable[[Object], bool],
    dry_run: bool = False,
) -> Object:
    name = read["metadata"]["name"]
    try:
        return api.patch(resource, name, operations, dry_run=dry_run)
    except PatchRefused as error:
        if not is_as_read(api.get(resource, name)):
            raise FleetUnavailable(f"{name} of {api.where} was changed by somebody else meanwhile") from None
        raise FleetRejected(str(error)) from None


def _generation(of: Object) -> int:
    return int(of["metadata"]["generation"])
