"""deploy_plan: a plan declared by a CloudFormation stack (`Custom::FailoverPlan`) or by Terraform
(`aws_lambda_invocation`, `lifecycle_scope = "CRUD"`), checked as one that is put by hand.

Neither says who asks, and Lambda hands over nobody's ARN: who may is whoever IAM lets invoke this function. So the
caller, whom a plan's `operators` must match, is the function's own ARN as it was invoked, with the alias if it was
one: IAM says who may invoke which alias, and the plan which alias it listens to.

CloudFormation invokes asynchronously and waits for an answer at a URL
(https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref.html); Terraform takes whatever the function
returns for success, so what is refused is raised.
"""

from __future__ import annotations

import os
import re
from typing import Any, Final, Literal

from aws_lambda_powertools import Logger
from pydantic import BaseModel, ConfigDict, Field

from failover.aws.clients import client
from failover.aws.stack_answer import send_answer
from failover.errors import FailoverError, PlanChangeRefused, TransientError
from failover.execution.declared_plans import Declaration, declare_plan, declared_name, withdraw_plan
from failover.ledger.ledger import Ledger
from failover.validation import read

PLAN: Final = r"[a-z][a-z0-9-]{0,39}"
NO_PLAN: Final = "(no plan)"
"""The physical id of what could not be created, and has no name either."""
REASON_BYTES: Final = 1600
"""Of the 4,096 of a whole answer, in which every character may be escaped by another."""

logger = Logger(service="failover")


class StackRequest(BaseModel):
    """What CloudFormation asks of a custom resource."""

    model_config = ConfigDict(frozen=True)

    RequestType: Literal["Create", "Update", "Delete"]
    ResponseURL: str = Field(pattern=r"^https://")
    StackId: str
    RequestId: str
    LogicalResourceId: str
    PhysicalResourceId: str = NO_PLAN
    ResourceProperties: dict[str, Any]
    OldResourceProperties: dict[str, Any] = Field(default_factory=dict)

    @property
    def origin(self) -> str:
        """The resource of the stack, which is what declares the plan."""
        return f"{self.StackId}/{self.LogicalResourceId}"


class Declared(BaseModel):
    """The properties of a `Custom::FailoverPlan`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ServiceToken: str = ""
    ServiceTimeout: str | int = ""
    Document: str = Field(min_length=1)
    """The plan, in YAML."""


class PreviousInput(BaseModel):
    """The input that Terraform invoked it with last."""

    model_config = ConfigDict(frozen=True)

    document: str = ""


class Lifecycle(BaseModel):
    """What Terraform adds to an input."""

    model_config = ConfigDict(frozen=True)

    action: Literal["create", "update", "delete"]
    prev_input: PreviousInput | None = None


class ConfigurationRequest(BaseModel):
    """The input of an `aws_lambda_invocation`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    document: str = Field(min_length=1)
    """The plan, in YAML."""
    origin: str = Field(pattern=r"^[\x21-\x7e]{1,200}$")
    """What names the configuration among all that declare plans."""
    tf: Lifecycle


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Put, change or remove the declared plan.

    Raises:
        FailoverError: of Terraform, whatever is refused.
        ServiceUnavailable: CloudFormation did not take the answer; Lambda repeats the request, which is answered alike.
    """
    caller = context.invoked_function_arn.removesuffix(":$LATEST")
    logger.append_keys(by=caller)
    if "ResponseURL" in event:
        request = read(StackRequest, event)
        answer = _answer(request, caller)
        send_answer(request.ResponseURL, answer)
        return answer
    return _of_configuration(read(ConfigurationRequest, event), caller)


def _answer(request: StackRequest, caller: str) -> dict[str, Any]:
    """A stack waits for an hour if it is not answered: whatever happens is."""
    try:
        physical_id, data = _of_stack(request, caller)
        outcome: dict[str, Any] = {"Status": "SUCCESS", "PhysicalResourceId": physical_id, "Data": data}
    except Exception as error:
        logger.warning("refused", origin=request.origin, why=str(error), exc_info=not isinstance(error, FailoverError))
        physical_id = request.PhysicalResourceId
        outcome = {"Status": "FAILED", "PhysicalResourceId": physical_id, "Reason": _reason(error)}
    return outcome | {name: getattr(request, name) for name in ("StackId", "RequestId", "LogicalResourceId")}


def _reason(error: Exception) -> str:
    if not isinstance(error, FailoverError):
        return f"{type(error).__name__}: see the log of deploy_plan"
    ask_again = "AWS did not answer, deploy it again: " if isinstance(error, TransientError) else ""
    whole = f"{type(error).__name__}: {ask_again}{error}".encode()
    cut = whole[:REASON_BYTES].decode(errors="ignore")
    return cut if len(whole) <= REASON_BYTES else f"{cut} … (the whole is in the log of deploy_plan)"


def _of_stack(request: StackRequest, caller: str) -> tuple[str, dict[str, Any]]:
    """The physical id, which is the plan's name, and what `Fn::GetAtt` gives."""
    if request.RequestType == "Delete":
        name = request.PhysicalResourceId
        if not re.fullmatch(PLAN, name):
            name = declared_name(str(request.ResourceProperties.get("Document", ""))) or ""
        _withdraw(name, caller, request.origin)
        return request.PhysicalResourceId, {}
    text_before = None
    if request.RequestType == "Update":
        text_before = str(request.OldResourceProperties.get("Document", ""))
    document = read(Declared, request.ResourceProperties).Document
    answer = _declare(document, caller, request.origin, text_before)
    return answer["plan"], {"Plan": answer["plan"], "Revision": str(answer["revision"])}


def _of_configuration(request: ConfigurationRequest, caller: str) -> dict[str, Any]:
    name = declared_name(request.document)
    if request.tf.action == "delete":
        return _withdraw(name, caller, request.origin)
    if request.tf.action == "create" or request.tf.prev_input is None:
        return _declare(request.document, caller, request.origin, None)
    text_before = request.tf.prev_input.document
    if declared_name(text_before) not in (name, None):
        raise PlanChangeRefused(
            f"plan {declared_name(text_before)!r} can't become {name!r}: a plan's name is its key; replace the resource"
        )
    return _declare(request.document, caller, request.origin, text_before)


def _declare(text: str, caller: str, origin: str, text_before: str | None) -> dict[str, Any]:
    declaration = Declaration(text=text, origin=origin, by=caller, text_before=text_before)
    revision = declare_plan(_ledger(), declaration)
    logger.info("plan changed", plan=revision.plan, revision=revision.number, origin=origin)
    return {"plan": revision.plan, "revision": revision.number, "by": revision.by, "at": revision.at}


def _withdraw(name: str | None, caller: str, origin: str) -> dict[str, Any]:
    revision = withdraw_plan(_ledger(), name, by=caller, origin=origin)
    if revision is None:
        logger.warning("there was no plan to remove that is this origin's", plan=name, origin=origin)
        return {"plan": name, "removed": False, "why": "there is none of that name, or somebody else put it since"}
    logger.info("plan changed", plan=name, revision=revision.number, origin=origin, removed=True)
    return {"plan": name, "removed": True, "revision": revision.number}


def _ledger() -> Ledger:
    return Ledger(client("dynamodb"), os.environ["LEDGER_TABLE"])
