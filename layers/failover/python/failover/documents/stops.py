"""Why an execution stopped, in the words that messages, pages and the command line share: of its report alone. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from failover.documents.execution import Stop


def last_stop(report: Mapping[str, Any]) -> Stop | None:
    """The stop that an execution was not redriven from; of one that ended otherwise a redrive was only not noted."""
    stops = (report.get("stops") or ()) if report.get("outcome") == "failed" else ()
    stop: Stop | None = stops[-1] if stops and stops[-1]["redriven_at"] is None else None
    return stop


def stop_in_words(stop: Stop) -> str:
    """What could not go on, and by whose refusal."""
    step = stop["step"] or "a step that nothing tells"
    return f"{step} was refused by {stop['site']}" if stop["site"] else f"{step} failed"


def stop_line(stop: Stop) -> str:
    """When it stopped where, and for how long."""
    words = f"stopped {_clock(stop['at'])} at {stop['step'] or 'an unknown step'} ({stop['error']})"
    again = stop["redriven_at"]
    return f"{words}, redriven at {_clock(again)}" if again is not None else f"{words}, not redriven"


def on_lost_site(report: Mapping[str, Any], *, who: str) -> str:
    """What clients feel who were not moved. Only sources that said that the site is lost tell that they can't work."""
    if report.get("votes"):
        return f"{who} can't work: they are still led to {report['from']}, which does not answer"
    return f"{who} are still led to {report['from']}; whether they can work there is not known"


def error_message(cause: str) -> str:
    """The words of a Lambda function's error, which Step Functions gives as JSON, without its trace."""
    try:
        return str(json.loads(cause)["errorMessage"])
    except (ValueError, KeyError, TypeError):
        return cause


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S")
