"""What Slack, Teams and PagerDuty are sent is as their references say, whatever a message holds."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from failover.aws.notify import subject_line
from failover.message import TEXT_LIMIT, Message
from tests.deployment.templates import ROOT, Loader

RESOURCES = yaml.load((ROOT / "messages.yaml").read_text(), Loader=Loader)["Resources"]
NASTY = 'east "burns" \\ <!channel> *now* {"a": 1}\ttab' + "\n" + "x" * 400
LONG = Message(
    subject=NASTY,
    what_happened=NASTY,
    clients=NASTY,
    done=NASTY,
    to_do=NASTY,
    commands=["status orders"] * 3,
    evidence=[NASTY] * 9,
    links=(("Page", "https://us-west-2.console.aws.amazon.com/s3/object/reports?prefix=" + "p" * 150),),
)
SHORT = Message(subject="orders: failover to west begins", what_happened="It begins")


def text_object(most: int) -> dict[str, Any]:
    properties = {
        "type": {"const": "plain_text"},
        "text": {"type": "string", "minLength": 1, "maxLength": most},
        "emoji": {"type": "boolean"},
    }
    return {"type": "object", "properties": properties, "required": ["type", "text"], "additionalProperties": False}


def block(kind: str, most: int) -> dict[str, Any]:
    properties = {"type": {"const": kind}, "text": text_object(most)}
    return {"type": "object", "properties": properties, "required": ["type", "text"], "additionalProperties": False}


SLACK = {
    # https://docs.slack.dev/reference/block-kit/blocks/header-block, …/section-block
    "type": "object",
    "properties": {
        "text": {"type": "string"},
        "blocks": {"type": "array", "maxItems": 50, "items": {"oneOf": [block("header", 150), block("section", 3000)]}},
    },
    "required": ["text", "blocks"],
    "additionalProperties": False,
}
TEAMS = {
    # https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using,
    # https://adaptivecards.io/explorer (1.4)
    "type": "object",
    "properties": {
        "type": {"const": "message"},
        "attachments": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["contentType", "content"],
                "properties": {
                    "contentType": {"const": "application/vnd.microsoft.card.adaptive"},
                    "contentUrl": {"type": "null"},
                    "content": {
                        "type": "object",
                        "required": ["type", "version", "body"],
                        "properties": {
                            "$schema": {"const": "http://adaptivecards.io/schemas/adaptive-card.json"},
                            "type": {"const": "AdaptiveCard"},
                            "version": {"const": "1.4"},
                            "fallbackText": {"type": "string"},
                            "body": {
                                "type": "array",
                                "items": {
                                    "oneOf": [
                                        {
                                            "properties": {
                                                "type": {"const": "TextBlock"},
                                                "text": {"type": "string"},
                                                "weight": {"enum": ["Default", "Lighter", "Bolder"]},
                                                "size": {"enum": ["Default", "Small", "Medium", "Large", "ExtraLarge"]},
                                                "wrap": {"type": "boolean"},
                                            },
                                            "required": ["type", "text"],
                                            "additionalProperties": False,
                                        },
                                        {
                                            "properties": {
                                                "type": {"const": "RichTextBlock"},
                                                "inlines": {
                                                    "type": "array",
                                                    "items": {
                                                        "properties": {
                                                            "type": {"const": "TextRun"},
                                                            "text": {"type": "string"},
                                                        },
                                                        "required": ["type", "text"],
                                                        "additionalProperties": False,
                                                    },
                                                },
                                            },
                                            "required": ["type", "inlines"],
                                            "additionalProperties": False,
                                        },
                                    ]
                                },
                            },
                        },
                        "additionalProperties": False,
                    },
                },
                "additionalProperties": False,
            },
        },
    },
    "required": ["type", "attachments"],
    "additionalProperties": False,
}
PAGER_DUTY = {
    # https://developer.pagerduty.com/docs/events-api-v2/trigger-events/; `routing_key` is put in by the connection
    "type": "object",
    "properties": {
        "event_action": {"enum": ["trigger", "acknowledge", "resolve"]},
        "dedup_key": {"type": "string", "maxLength": 255},
        "client": {"type": "string"},
        "payload": {
            "type": "object",
            "properties": {
                "summary": {"type": "string", "minLength": 1, "maxLength": 1024},
                "source": {"type": "string", "minLength": 1},
                "severity": {"enum": ["critical", "error", "warning", "info"]},
                "component": {"type": "string"},
                "custom_details": {"type": "object"},
            },
            "required": ["summary", "source", "severity"],
            "additionalProperties": False,
        },
    },
    "required": ["event_action", "payload"],
    "additionalProperties": False,
}


def passed_on(to: str, body: dict[str, Any]) -> Any:
    """What a pipe makes of a message: paths become the text at them, escaped so that the whole stays JSON
    (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-input-transformation.html)."""
    template = RESOURCES[f"{to}Pipe"]["Properties"]["TargetParameters"]["InputTemplate"]
    return json.loads(re.sub(r"<\$\.body\.(\w+)>", lambda path: json.dumps(body[path[1]])[1:-1], template))


@pytest.mark.parametrize(("to", "schema"), [("Slack", SLACK), ("Teams", TEAMS), ("PagerDuty", PAGER_DUTY)])
@pytest.mark.parametrize("message", [LONG, SHORT])
def test_what_is_passed_on_is_as_the_vendor_says(to: str, schema: dict[str, Any], message: Message) -> None:
    subject, text = subject_line(message.subject), message.text(" --region us-west-2")
    sent = passed_on(to, {"key": "k" * 200, "subject": subject, "text": text, "needs_somebody": True})
    Draft202012Validator.check_schema(schema)
    assert [error.message for error in Draft202012Validator(schema).iter_errors(sent)] == []
    written = json.dumps(sent)
    assert json.dumps(text)[1:-1] in written and json.dumps(subject)[1:-1] in written


def test_a_long_message_is_made_shorter_and_keeps_every_line_command_and_link() -> None:
    text = LONG.text()
    assert len(text) <= TEXT_LIMIT
    assert text.count("failover status orders") == 3 and "p" * 150 in text
    assert all(start in text for start in ("Clients: ", "Done: ", "You: ", "- and 5 more"))


def test_the_pager_wakes_people_for_what_asks_something_of_them_alone() -> None:
    (only,) = RESOURCES["PagerDutyPipe"]["Properties"]["SourceParameters"]["FilterCriteria"]["Filters"]
    assert json.loads(only["Pattern"]) == {"body": {"needs_somebody": [True]}}
    assert LONG.needs_somebody and not SHORT.needs_somebody
    assert not Message(subject="s", what_happened="h", to_do="nothing; how it ends is told").needs_somebody


def test_no_secret_stands_in_what_is_sent_or_shown() -> None:
    parameters = yaml.load((ROOT / "messages.yaml").read_text(), Loader=Loader)["Parameters"]
    assert all(parameters[name]["NoEcho"] for name in ("SlackWebhookUrl", "TeamsWebhookUrl", "PagerDutyRoutingKey"))
    assert "routing_key" not in RESOURCES["PagerDutyPipe"]["Properties"]["TargetParameters"]["InputTemplate"]
    (key,) = RESOURCES["PagerDutyConnection"]["Properties"]["AuthParameters"]["InvocationHttpParameters"][
        "BodyParameters"
    ]
    assert key["IsValueSecret"] is True
