"""The question whether to fail over, and its answer: a signed link that expires, and a record that is written once.

The task token of the waiting execution stays in the ledger. Whoever holds a link may answer: it is signed with a key in
Secrets Manager (HMAC-SHA256), names one execution, and expires with the question. Opening it changes nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlencode

from aws_lambda_powertools.utilities.parameters import SecretsProvider
from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError

from failover.aws.clients import client
from failover.aws.errors import aws_errors, cause_of, error_code
from failover.container import remembered
from failover.errors import CredentialsMissing, Refused, ServiceRejected, ServiceUnavailable
from failover.ledger.execution import same_name
from failover.ledger.ledger import Ledger

Answer = Literal["approve", "deny"]
KEY_CACHED_S = 300
_NOT_WAITING = {"TaskTimedOut", "TaskDoesNotExist", "InvalidToken"}


class BadLink(Refused):
    """A link that was not signed by this stack, was changed on the way, or has expired."""


class NoQuestion(Refused):
    """The execution asks nobody, or does not wait for an answer any more."""


class SamePerson(Refused):
    """Who started an execution by hand can't be the second person who approves it."""


@dataclass(frozen=True)
class Question:
    """Which execution of which plan asks; `expires`: when an answer comes too late, seconds since 1970."""

    plan: str
    execution: str
    expires: int


@dataclass(frozen=True, kw_only=True)
class Answered:
    """Who answered what, and when; `now`: by this very call."""

    answer: Answer
    by: str
    at: float
    now: bool


def link(question: Question) -> str | None:
    """The link that this question can be answered at; None if the stack has none.

    Raises:
        CredentialsMissing, ServiceUnavailable: the key can't be read.
    """
    base = os.environ.get("APPROVAL_URL", "")
    if not base:
        return None
    fields = {"plan": question.plan, "execution": question.execution, "expires": str(question.expires)}
    return f"{base}?{urlencode(fields | {'signature': _signature(question)})}"


def verified_question(query: Mapping[str, str]) -> Question:
    """The question of a link.

    Raises:
        BadLink: if it is not this stack's, or expired.
        CredentialsMissing, ServiceUnavailable: the key can't be read.
    """
    try:
        question = Question(query["plan"], query["execution"], int(query["expires"]))
        signature = query["signature"]
    except (KeyError, ValueError):
        raise BadLink("this link is not whole; open it as it was sent") from None
    if not hmac.compare_digest(_signature(question).encode(), signature.encode()):
        raise BadLink("this link was not signed by this controller")
    if question.expires < time.time():
        raise BadLink("this link has expired; the execution waits for no answer any more")
    return question


def answer(book: Ledger, plan: str, execution: str, reply: Answer, by: str, why: str) -> Answered:
    """Write the answer down, once, and hand what was written down to the waiting execution; again, it does no harm.

    Raises:
        NoQuestion: if the execution asked nobody or waits no more.
        SamePerson: if it is approved under the name of who started it.
        LedgerUnavailable, ServiceUnavailable: AWS did not answer; answer again.
    """
    waiting = book.item(plan, f"approval#{execution}")
    if waiting is None:
        raise NoQuestion(f"{execution} of plan {plan!r} asks nobody")
    starter = waiting.get("started_by", "")
    if reply == "approve" and starter and same_name(starter, by):
        raise SamePerson(f"{by} started {execution}: another person has to approve it")
    at = str(time.time())
    written = {"answer": reply, "answered_by": by, "answered_why": why, "answered_at": at}
    first, record = _written_down(book, plan, execution, written)
    if "answer" not in record:  # it asked anew in the moment between, as its message had not got out
        first, record = _written_down(book, plan, execution, written)
    if "answer" not in record:
        raise ServiceUnavailable(f"{execution} of plan {plan!r} asks anew at this moment: answer again")
    # A write whose answer is lost is repeated by the SDK, and finds itself.
    now = first or (record["answered_by"], record["answered_at"]) == (by, at)
    answered = Answered(answer=record["answer"], by=record["answered_by"], at=float(record["answered_at"]), now=now)
    _hand_over(record["token"], answered, record["answered_why"])
    return answered


def _written_down(book: Ledger, plan: str, execution: str, written: dict[str, Any]) -> tuple[bool, dict[str, Any]]:
    """Whether the answer is the first, and the question as it is kept now."""
    sort = f"approval#{execution}"
    first = book.set_once(plan, sort, written)
    record = book.item(plan, sort)
    if record is None:
        raise NoQuestion(f"{execution} of plan {plan!r} asks nobody any more")
    return first, record


def _hand_over(token: str, answered: Answered, why: str) -> None:
    states = client("stepfunctions")
    of = "Step Functions, for the answer of a person"
    try:
        with aws_errors(of, transient=ServiceUnavailable, final=ServiceRejected, hide=token):
            if answered.answer == "approve":
                states.send_task_success(taskToken=token, output="{}")
            else:
                cause = f"{answered.by}: {why or 'no reason given'}"
                states.send_task_failure(taskToken=token, error="ApprovalDenied", cause=cause)
    except ServiceRejected as error:
        if error_code(error) not in _NOT_WAITING:
            raise
        if answered.now:
            raise NoQuestion("the execution does not wait for an answer any more") from None


def _signature(question: Question) -> str:
    text = f"{question.plan}\n{question.execution}\n{question.expires}"
    return hmac.new(_key(), text.encode(), hashlib.sha256).hexdigest()


@remembered
def _store() -> SecretsProvider:
    return SecretsProvider(boto3_client=client("secretsmanager"))


def _key() -> bytes:
    name = os.environ["APPROVAL_KEY_SECRET"]
    with aws_errors(
        "Secrets Manager, for the key of approval links",
        transient=ServiceUnavailable,
        final=CredentialsMissing,
        remedy="It must be this stack's secret",
    ):
        try:
            return str(_store().get(name, max_age=KEY_CACHED_S)).encode()
        except GetParameterError as error:
            raise cause_of(error) from None
