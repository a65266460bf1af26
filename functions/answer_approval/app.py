"""answer_approval: a person's answer to `request_approval`, by a signed link, or invoked from the command line.

Opening the link (GET) shows the evidence and two choices and changes nothing, so that a scanner of mail that opens
every link approves nothing; only the form's POST answers. Invoked directly, IAM says who may:
`aws lambda invoke --payload '{"plan": "orders", "execution": "orders-7-failover", "answer": "approve", "by": "…"}'`.
"""

from __future__ import annotations

import base64
import os
import time
from dataclasses import asdict
from typing import Any, cast, get_args
from urllib.parse import parse_qs

from aws_lambda_powertools import Logger
from pydantic import BaseModel, ConfigDict, Field

from failover.aws.clients import client
from failover.errors import FailoverError, Refused, TransientError
from failover.execution.approval import Answer, Answered, NoQuestion, Question, answer, verified_question
from failover.ledger.approvals import approval
from failover.ledger.ledger import Ledger
from failover.validation import read
from report import answer_page, approval_page

logger = Logger(service="failover")
_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self';"
    " frame-ancestors 'none'",
}


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
            return _response(200, _question(question))
        form = _form(event)
        button, by = form.get("answer"), form.get("by", "").strip()
        if button not in get_args(Answer) or not by:
            return _page(400, "No answer was taken", "Say who you are, and choose one of the two.")
        answered = _answered(
            question.plan, question.execution, reply=cast("Answer", button), by=by, why=form.get("why", "")
        )
    except Refused as error:
        return _page(403, "No answer was taken", str(error))
    except TransientError as error:
        logger.warning("no answer taken", why=str(error))
        return _page(503, "Not answered yet", "AWS did not answer. Go back and send it again.")
    except FailoverError as error:
        logger.error("no answer taken", why=str(error))
        return _page(500, "Not answered", "The controller may not hand the answer over; its log says why.")
    done = "Your answer was taken." if answered.now else "It was answered before; yours changed nothing."
    return _page(200, f"{answered.answer} by {answered.by}", done)


def _answered(plan: str, execution: str, reply: Answer, by: str, why: str) -> Answered:
    answered = answer(_ledger(), plan, execution=execution, reply=reply, by=by[:100], why=why[:500])
    logger.info("answered", plan=plan, execution=execution, **asdict(answered))
    return answered


def _question(question: Question) -> str:
    """What the decision stands on, as `assess` or `precheck` recorded it, and the choices; or what was answered."""
    book = _ledger()
    if answered := approval(book, question.plan, question.execution):
        return answer_page(f"{answered['answer']} by {answered['by']}", "It was answered; no other answer is taken.")
    looks = (book.step(question.plan, question.execution, step) for step in ("assess", "precheck"))
    assessed = next(filter(None, looks), None)
    if assessed is None:
        raise NoQuestion(f"{question.execution} of plan {question.plan!r} asks nobody")
    claimed = book.step(question.plan, question.execution, "claim")
    record = book.execution(question.plan, question.execution)
    return approval_page(
        plan=question.plan,
        execution=question.execution,
        start=(claimed.observed if claimed else {}) | ({"kind": record.kind} if record else {}),
        decision=assessed.observed,
        until=question.expires,
        now=time.time(),
    )


def _form(event: dict[str, Any]) -> dict[str, str]:
    body = event.get("body") or ""
    text = base64.b64decode(body).decode(errors="replace") if event.get("isBase64Encoded") else body
    return {name: values[0] for name, values in parse_qs(text).items()}


def _page(status: int, title: str, text: str) -> dict[str, Any]:
    return _response(status, answer_page(title, text))


def _response(status: int, page: str) -> dict[str, Any]:
    return {"statusCode": status, "headers": _HEADERS, "body": page}


def _ledger() -> Ledger:
    return Ledger(client("dynamodb"), os.environ["LEDGER_TABLE"])
