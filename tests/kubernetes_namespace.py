"""A namespace of Kubernetes in memory: what fleets read of it, and what is asked of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from drill.kubernetes import json_patch
from failover.fleets.kubernetes import Object, PatchRefused

Key = tuple[str, str]


class Namespace:
    """Objects by kind (the plural) and name. `stores`: what the API server makes of an object that is patched, such as
    to drop a field it does not know; `answers`: what pods answer, by name, port and path; `meanwhile`: what somebody
    else does before pods are looked for."""

    where = "EKS cluster eks-west in us-west-2"

    def __init__(self, *objects: tuple[str, Object]) -> None:
        self.objects: dict[Key, Object] = {(kind, thing["metadata"]["name"]): thing for kind, thing in objects}
        self.stores: Callable[[Object], Object] = lambda thing: thing
        self.meanwhile: Callable[[], None] = lambda: None
        self.answers: dict[tuple[str, int, str], tuple[int, bytes]] = {}
        self.asked: list[tuple[str, int, str]] = []
        self.patches: list[tuple[str, list[dict[str, Any]]]] = []
        self.tried: list[tuple[str, list[dict[str, Any]]]] = []
        self.deleted: list[str] = []

    def get(self, resource: str, name: str) -> Object:
        return dict(json_patch.patched(self.objects[_kind(resource), name], []))

    def get_if_there(self, resource: str, name: str) -> Object | None:
        return self.get(resource, name) if (_kind(resource), name) in self.objects else None

    def find(self, resource: str, labels: Mapping[str, str]) -> list[Object]:
        self.meanwhile()
        return [
            thing
            for (kind, _), thing in self.objects.items()
            if kind == _kind(resource) and labels.items() <= (thing["metadata"].get("labels") or {}).items()
        ]

    def patch(
        self, resource: str, name: str, operations: Sequence[Mapping[str, Any]], *, dry_run: bool = False
    ) -> Object:
        listed = [dict(operation) for operation in operations]
        (self.tried if dry_run else self.patches).append((name, listed))
        try:
            stored = self.stores(json_patch.patched(self.objects[_kind(resource), name], listed))
        except json_patch.PatchRefused as error:
            raise PatchRefused(str(error)) from None
        if not dry_run:
            self.objects[_kind(resource), name] = stored
        return stored

    def delete(self, resource: str, name: str) -> None:
        self.deleted.append(name)

    def ask_pod(self, pod: str, port: int, path: str) -> tuple[int, bytes]:
        self.asked.append((pod, port, path))
        return self.answers.get((pod, port, path), (0, b""))


def _kind(resource: str) -> str:
    return resource.partition(" ")[2]
