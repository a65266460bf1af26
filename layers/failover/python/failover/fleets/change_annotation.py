"""The controller's last change of a Kubernetes object, kept on the object itself: an annotation, written by the very
patch that makes the change. So a change can be followed by whoever looks at the object, and by nobody's memory; and a
patch that tests for the annotation it has read is done once, whoever else is at it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Final

from failover.fleets.kubernetes import Object

ANNOTATION: Final = "kafka-failover/change"
_POINTER: Final = "/metadata/annotations"
_KEY: Final = ANNOTATION.replace("/", "~1")


@dataclass(frozen=True, kw_only=True)
class Change:
    """What was changed."""

    id: str
    to: str
    tier: str
    at: float
    """Seconds since 1970."""
    before: tuple[str, ...] = ()
    """The uids of the pods that were there."""
    conditions: Mapping[str, str] = field(default_factory=dict)
    """A digest of each that stood there, by type."""
    replicas: int | None = None
    """How many there were, for the way back from none."""

    def operations(self, thing: Object) -> list[dict[str, Any]]:
        """The part of a patch of `thing` that keeps this change on it, if nobody else has changed it since it was read.

        Without an annotation to test, the resourceVersion stands for it: an object read before is a conflict (409).
        """
        annotations = annotations_of(thing)
        text = json.dumps(asdict(self), separators=(",", ":"), sort_keys=True)
        if ANNOTATION in annotations:
            return [
                {"op": "test", "path": f"{_POINTER}/{_KEY}", "value": annotations[ANNOTATION]},
                {"op": "replace", "path": f"{_POINTER}/{_KEY}", "value": text},
            ]
        unchanged = {
            "op": "replace",
            "path": "/metadata/resourceVersion",
            "value": thing["metadata"]["resourceVersion"],
        }
        if annotations:
            return [unchanged, {"op": "add", "path": f"{_POINTER}/{_KEY}", "value": text}]
        return [unchanged, {"op": "add", "path": _POINTER, "value": {ANNOTATION: text}}]


def change_of(thing: Object) -> Change | None:
    """The change an object carries; None without one that can be read."""
    try:
        document = json.loads(annotations_of(thing)[ANNOTATION])
        read = {"before": tuple(document["before"]), "conditions": dict(document["conditions"])}
        return Change(**document | read | {"at": float(document["at"])})
    except (KeyError, ValueError, TypeError):
        return None


def annotations_of(thing: Object) -> Mapping[str, str]:
    """An object's annotations."""
    return thing["metadata"].get("annotations") or {}


def conditions_of(thing: Object) -> list[Mapping[str, Any]]:
    """The conditions in an object's status, without what is none."""
    status = thing.get("status")
    conditions = status.get("conditions") if isinstance(status, dict) else None
    return (
        [condition for condition in conditions if isinstance(condition, dict)] if isinstance(conditions, list) else []
    )


def observed_generation(status: object) -> int:
    """Of which spec a status or a condition speaks; 0 if it does not say."""
    observed = status.get("observedGeneration") if isinstance(status, dict) else None
    return observed if isinstance(observed, int) else 0


def digests(conditions: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Each condition in short, by type: what does not differ is what stood there before."""
    return {str(condition.get("type")): _digest(condition) for condition in conditions}


def is_new(condition: Mapping[str, Any], change: Change) -> bool:
    """Whether a condition is another one than before the change."""
    return change.conditions.get(str(condition.get("type"))) != _digest(condition)


def since(condition: Mapping[str, Any], change: Change) -> float:
    """From when on a condition may be held to speak of a change, in seconds since 1970."""
    try:
        stated = datetime.fromisoformat(str(condition.get("lastTransitionTime"))).timestamp()
    except (ValueError, OverflowError):
        stated = 0.0
    return max(change.at, stated)


def _digest(condition: Mapping[str, Any]) -> str:
    # Some controllers touch the time of the last probe on every round.
    state = {name: condition.get(name) for name in ("status", "reason", "message", "lastTransitionTime")}
    return hashlib.sha256(json.dumps(state, sort_keys=True).encode()).hexdigest()[:12]
