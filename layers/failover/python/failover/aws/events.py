"""Events on a bus of EventBridge. PutEvents answers 200 for what it does not take, too: the answer is looked at."""

from __future__ import annotations

import json
import os
from typing import Any, Final

from failover.aws.clients import client
from failover.aws.errors import aws_errors
from failover.errors import ServiceRejected, ServiceUnavailable

SOURCE: Final = "kafka.failover"
SIZE_LIMIT: Final = 250_000
"""Bytes of one message: EventBridge and SNS take 256 KB with everything around it."""
OMITTED: Final = "left_out"


def put_event_at_most_once(detail_type: str, detail: dict[str, Any], region: str | None = None) -> str | None:
    """Put an event on a region's bus, in one attempt; answers why it is not known to be taken, or None if it is."""
    try:
        put_event(detail_type, detail, region)
    except (ServiceUnavailable, ServiceRejected) as error:
        return str(error)
    return None


def put_event(detail_type: str, detail: dict[str, Any], region: str | None = None) -> None:
    """Put an event on a region's bus, in one attempt.

    Raises:
        ServiceUnavailable: it is not known to be taken, and may be if it is put again.
        ServiceRejected: it is refused.
    """
    of = f"EventBridge, for the event {detail_type!r}"
    bus = os.environ.get("EVENT_BUS", "default")
    with aws_errors(of, transient=ServiceUnavailable, final=ServiceRejected):
        answer = client("events", region, attempts=1).put_events(
            Entries=[
                {
                    "Source": SOURCE,
                    "DetailType": detail_type,
                    "Detail": sized_json(detail),
                    "EventBusName": bus,
                }
            ]
        )
    refused = [entry for entry in answer.get("Entries", []) if entry.get("ErrorCode")]
    if refused:
        raise ServiceUnavailable(f"{of}: not taken ({refused[0]['ErrorCode']}: {refused[0].get('ErrorMessage')})")


def sized_json(document: dict[str, Any], indent: int | None = None, limit: int = SIZE_LIMIT) -> str:
    """The document as JSON of at most `limit` bytes: what is too long goes, the longest first, and its name is
    kept in `left_out`. The ledger has the whole."""
    text = json.dumps(document, indent=indent, default=str)
    rest, omitted = dict(document), list[str]()
    while len(text.encode()) > limit and rest:
        longest = max(rest, key=lambda name: len(json.dumps(rest[name], indent=indent, default=str)))
        del rest[longest]
        omitted.append(longest)
        text = json.dumps(rest | {OMITTED: omitted}, indent=indent, default=str)
    return text
