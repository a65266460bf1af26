"""What people were sent: every message that was published to a topic, as one who has subscribed by e-mail gets it."""

from __future__ import annotations

import json
from typing import Any

from moto.sns.models import sns_backends


def sent_messages(account: str) -> list[dict[str, Any]]:
    """Each with its topic, subject and text, of each topic the first one first."""
    return [
        {"id": identity, "topic": topic.name, "subject": subject, "text": _for_people(message)}
        for backend in sns_backends[account].values()
        for topic in backend.topics.values()
        for identity, message, subject, _, _ in topic.sent_notifications
    ]


def _for_people(message: str) -> str:
    """A message that is another one for each protocol is JSON
    (https://docs.aws.amazon.com/sns/latest/api/API_Publish.html)."""
    try:
        document = json.loads(message)
    except ValueError:
        return message
    return str(document.get("default", message)) if isinstance(document, dict) else message
