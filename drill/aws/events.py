"""EventBridge: what moto leaves out of it."""

from __future__ import annotations

from typing import Any


def put_service_event(account: str, region: str, event: dict[str, Any]) -> None:
    """Put an event of an AWS service on the region's default bus, as the service itself would.

    `event` has the envelope's own keys: at least `source`, `detail-type` and `detail` (a dict), often `resources`;
    `version`, `id`, `time`, `account` and `region` are filled in where they are missing.
    """
    from moto.events.models import events_backends

    raise NotImplementedError(events_backends, account, region, event)
