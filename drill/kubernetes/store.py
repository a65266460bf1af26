"""The objects of a cluster, with what the API server itself keeps of each: uid, generation, resourceVersion, times."""

from __future__ import annotations

import itertools
import marshal
import threading
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

Object = dict[str, Any]
Value = TypeVar("Value")


class NotFound(KeyError):
    """There is no such object."""


class Conflict(RuntimeError):
    """The object is not the one any more that was read."""


def timestamp(at: datetime | None = None) -> str:
    """A time as the API writes it, in whole seconds."""
    return (at or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%SZ")


def copied(value: Value) -> Value:
    """A copy of a JSON value: much faster than of anything, which counts where every look copies every object."""
    json_value: Any = value
    copy: Value = marshal.loads(marshal.dumps(json_value))
    return copy


class Store:
    """Objects by resource and name, of one namespace. Safe to use from any thread; what it gives are copies.

    Hold `lock` around what must be seen as one.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._objects: dict[tuple[str, str], Object] = {}
        self._versions = itertools.count(1000)

    def create(self, resource: str, manifest: Mapping[str, Any]) -> Object:
        """Add an object.

        Raises:
            Conflict: if there is one of that name.
        """
        with self.lock:
            made: Object = copied(dict(manifest))
            key = resource, made["metadata"]["name"]
            if key in self._objects:
                raise Conflict(f"{resource} {key[1]!r} already exists")
            made["metadata"] |= {
                "uid": str(uuid.uuid4()),
                "generation": 1,
                "creationTimestamp": timestamp(),
                "resourceVersion": str(next(self._versions)),
            }
            self._objects[key] = made
            return copied(made)

    def get(self, resource: str, name: str) -> Object:
        """An object.

        Raises:
            NotFound
        """
        with self.lock:
            try:
                return copied(self._objects[resource, name])
            except KeyError:
                raise NotFound(name) from None

    def find(self, resource: str, labels: Mapping[str, str] | None = None) -> list[Object]:
        """The objects that have these labels, by name."""
        with self.lock:
            return [
                copied(stored)
                for (kind, _), stored in sorted(self._objects.items())
                if kind == resource and (labels or {}).items() <= stored["metadata"].get("labels", {}).items()
            ]

    def update(self, resource: str, changed: Object, *, status: bool = False) -> Object:
        """Put an object in the place of the one it was read from; only its status, or all but that.

        A new spec is a new generation. Where nothing is changed nothing is written.

        Raises:
            NotFound, Conflict: if it carries a resourceVersion that is not the present one.
        """
        with self.lock:
            name = changed["metadata"]["name"]
            before = self.get(resource, name)
            if changed["metadata"]["resourceVersion"] != before["metadata"]["resourceVersion"]:
                raise Conflict("the object has been modified; please apply your changes to the latest version")
            after = copied(before if status else changed)
            if status:
                after["status"] = copied(changed.get("status", {}))
            elif "status" in before:
                after["status"] = before["status"]
            else:
                after.pop("status", None)
            for fixed in ("uid", "generation", "creationTimestamp"):
                after["metadata"][fixed] = before["metadata"][fixed]
            if after == before:
                return before
            if after.get("spec") != before.get("spec"):
                after["metadata"]["generation"] += 1
            after["metadata"]["resourceVersion"] = str(next(self._versions))
            self._objects[resource, name] = after
            return copied(after)

    def delete(self, resource: str, name: str) -> None:
        """Remove an object, at once."""
        with self.lock:
            self._objects.pop((resource, name), None)
