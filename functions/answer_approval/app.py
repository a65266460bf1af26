"""answer_approval: a person's answer to `request_approval`, by a signed link, or invoked from the command line.

Opening the link (GET) shows the evidence and two buttons and changes nothing, so that a scanner of mail that opens
every link approves nothing; only the button's POST answers. Invoked directly, IAM says who may:
`aws lambda invoke --payload '{"plan": "orders", "execution": "orders-7-failover", "answer": "approve", "by": "…"}'`.
"""

from __future__ import annotations

import base64
import os
from dataclasses import asdict
from html import escape
from typing import Any, cast, get_args
from urllib.parse import parse_qs

from aws_lambda_powertools import Logger
from pydantic import BaseModel, ConfigDict, Field

from failover.aws.clients import client
from failover.errors import FailoverError, Refused, TransientError
from failover.execution.approval import Answer, Answered, NoQuestion, Question, answer, verified_question
from failover.ledger.ledger import Ledger
from failover.validation import read

logger = Logger(service="failover")
_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self';"
    " frame-ancestors 'none'",
}
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title><style>body{{font:16px/1.5 system-ui,sans-serif;max-width:44rem;margin:2rem auto;padding:0 1rem}}
dt{{color:#666}}dd{{margin:0 0 .6rem}}button{{font:inherit;padding:.5rem 1.2rem;margin-right:.6rem}}
input{{font:inherit;width:100%;box-sizing:border-box;margin-bottom:.6rem}}</style><h1>{title}</h1>{body}</html>"""


class DirectAnswer(BaseModel):
    """An answer from the command line."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    plan: str
    execution: str
    answer: Answer
    by: str = Field(min_length=1, max_length=100)
    why: str = Field(default="", max_length=500)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer a request of the function's URL with a page; answer a direct invocation with who answered what.

    Raises:
        MalformedEvent, NoQuestion, LedgerUnavailable, ServiceUnavailable: of a direct invocation only.
    """
    if "requestContext" in event:
        return _by_link(event)
    request = read(DirectAnswer, event)
    return asdict(_answered(request.plan, request.execution, reply=request.answer, by=request.by, why=request.why))


def _by_link(event: dict[str, Any]) -> dict[str, Any]:
    try:
        question = verified_question(event.get("queryStringParameters") or {})
        if event["requestContext"]["http"]["method"] != "POST":
            return _page(200, f"Move the clients of {question.plan}?", _evidence(question))
        form = _form(event)
        button, by = form.get("answer"), form.get("by", "").strip()
        if button not in get_args(Answer) or not by:
            return _page(400, "No answer was taken", "<p>Say who you are, and press one of the two buttons.</p>")
        answered = _answered(
            question.plan, question.execution, reply=cast("Answer", button), by=by, why=form.get("why", "")
        )
    except Refused as error:
        return _page(403, "No answer was taken", f"<p>{escape(str(error))}</p>")
    except TransientError as error:
        logger.warning("no answer taken", why=str(error))
        return _page(503, "Not answered yet", "<p>AWS did not answer. Go back and press the button again.</p>")
    except FailoverError as error:
        logger.error("no answer taken", why=str(error))
        return _page(500, "Not answered", "<p>The controller may not hand the answer over; its log says why.</p>")
    done = "Your answer was taken." if answered.now else "It was answered before; yours changed nothing."
    return _page(200, f"{answered.answer} by {answered.by}", f"<p>{done}</p>")


def _answered(plan: str, execution: str, reply: Answer, by: str, why: str) -> Answered:
    answered = answer(_ledger(), plan, execution=execution, reply=reply, by=by[:100], why=why[:500])
    logger.info("answered", plan=plan, execution=execution, **asdict(answered))
    return answered


def _evidence(question: Question) -> str:
    """What the decision stands on, as `assess` or `precheck` recorded it, and the form."""
    book = _ledger()
    looks = (book.step(question.plan, question.execution, step) for step in ("assess", "precheck"))
    assessed = next(filter(None, looks), None)
    if assessed is None:
        raise NoQuestion(f"{question.execution} of plan {question.plan!r} asks nobody")
    claimed = book.step(question.plan, question.execution, "claim")
    start, observed = claimed.observed if claimed else {}, assessed.observed
    evidence, loss = observed.get("evidence") or {}, observed.get("expected_loss") or {}
    probes = [f"{probe['site']} {probe['service']}: {_probe_result(probe)}" for probe in evidence.get("probes", ())]
    shown = {
        "Execution": [question.execution],
        "From, to": [f"{start.get('from')} to {start.get('to')}"],
        "Started by": [f"{start.get('by') or 'not said'}: {start.get('reason') or 'no reason given'}"],
        "Why a person is asked": [observed.get("why", "")],
        "Votes that the site is lost": observed.get("votes") or ["none"],
        "What the controller saw itself": probes,
        "Expected to be stranded": [_loss(loss)],
        "Known to be unready": observed.get("known_unready") or ["nothing"],
    }
    listed = "".join(
        f"<dt>{escape(name)}</dt>" + "".join(f"<dd>{escape(str(line))}</dd>" for line in lines)
        for name, lines in shown.items()
    )
    form = (
        '<form method="post"><label>Your name <input name="by" required maxlength="100"></label>'
        '<label>Reason <input name="why" maxlength="500"></label>'
        '<button name="answer" value="approve">Approve it</button>'
        '<button name="answer" value="deny">Deny it</button></form>'
    )
    return f"<dl>{listed}</dl>{form}"


def _probe_result(probe: dict[str, Any]) -> str:
    word = {True: "healthy", False: "does not answer"}.get(probe.get("healthy"), "not known")  # type: ignore[arg-type]
    return f"{word} ({probe['why']})" if probe.get("why") else word


def _loss(loss: dict[str, Any]) -> str:
    records = loss.get("records")
    unknown = f"; {loss['unknown_partitions']} partitions unknown" if loss.get("unknown_partitions") else ""
    if records is None:
        return f"unknown{unknown}; at least {loss.get('at_least', 0)} records" if loss else "unknown"
    return f"{records['low']:,} to {records['high']:,} records (estimated){unknown}"


def _form(event: dict[str, Any]) -> dict[str, str]:
    body = event.get("body") or ""
    text = base64.b64decode(body).decode(errors="replace") if event.get("isBase64Encoded") else body
    return {name: values[0] for name, values in parse_qs(text).items()}


def _page(status: int, title: str, body: str) -> dict[str, Any]:
    return {"statusCode": status, "headers": _HEADERS, "body": _PAGE.format(title=escape(title), body=body)}


def _ledger() -> Ledger:
    return Ledger(client("dynamodb"), os.environ["LEDGER_TABLE"])
