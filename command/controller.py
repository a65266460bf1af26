"""Where the controller is that a command speaks to: a stack's outputs, or those of a running drill.

The product's own modules find it by the variables of their environment, as its functions do; so do commands.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import boto3
import typer
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from command.errors import NotDone
from failover.aws.clients import client
from failover.ledger.ledger import Ledger

STACK: Final = "failover"
"""The stack's name where none is given, as in samconfig.toml."""
RUNNING_DRILLS: Final = "drill-reports/*/controller.json"
_OUTPUTS: Final = ("LedgerTable", "StateMachineArn", "AnswerFunction", "CheckReadinessFunction")

_COMMAND: Final = re.compile(r"\bfailover (?:check|start|status|redrive|resume)\b[^;,:()]*")
"""A command in a sentence."""
_MACHINES: Final = {
    "failover": "StateMachineArn",
    "switchover": "SwitchoverStateMachineArn",
    "restore": "RestoreStateMachineArn",
    "practice": "PracticeStateMachineArn",
}
"""The outputs that name a state machine, by the kind of its executions."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """How the controller is found."""

    stack: str = STACK
    drill: bool = False
    region: str | None = None
    profile: str | None = None

    @property
    def suffix(self) -> str:
        """What a command that is to be pasted needs of them."""
        if self.drill:
            return " --drill"
        options = {"stack": self.stack if self.stack != STACK else None, "region": self.region, "profile": self.profile}
        return "".join(f" --{name} {value}" for name, value in options.items() if value)


@dataclass(frozen=True, kw_only=True)
class Controller:
    """A controller that was found."""

    options: Options
    answer_function: str
    readiness_function: str
    operator_function: str = ""
    operator_url: str = ""
    """Where operators ask; empty if this controller has no such URL."""
    book: Ledger
    machines: Mapping[str, str]
    """The ARN of the state machine that an execution of a kind is a run of."""

    def machine(self, kind: str) -> str:
        """That of a kind.

        Raises:
            NotDone: the stack has none.
        """
        if kind not in self.machines:
            raise NotDone(f"the stack has no state machine for a {kind}: it is of an older version", "deploy this one")
        return self.machines[kind]

    def command(self, words: str) -> str:
        """A command to paste."""
        return f"failover {words}{self.options.suffix}"

    def to_paste(self, text: str) -> str:
        """A text with what its commands need to be pasted."""
        return _COMMAND.sub(rf"\g<0>{self.options.suffix}", text) if self.options.suffix else text

    def invoke(self, function: str, event: Mapping[str, Any]) -> Any:
        """What a function of the controller answers.

        Raises:
            NotDone: it could not be asked, or failed.
        """
        try:
            answer = boto3.client("lambda").invoke(FunctionName=function, Payload=json.dumps(dict(event)))
        except (ClientError, BotoCoreError) as error:
            raise NotDone(f"{function} could not be invoked: {error}", "see whether these credentials may") from None
        document = json.loads(answer["Payload"].read() or b"null")
        if "FunctionError" in answer:
            kind, why = document.get("errorType", "an error"), document.get("errorMessage", "")
            raise NotDone(f"{function}: {kind}: {why}", "failover status says where the plan stands")
        return document


def connected(context: typer.Context) -> Controller:
    """The controller that the options of the line lead to; from then on the product's modules speak to it, too.

    Raises:
        NotDone: there is none.
    """
    return connect(context.obj or Options())


def connect(options: Options) -> Controller:
    """The same, by its options.

    Raises:
        NotDone: there is none.
    """
    outputs = _drill() if options.drill else _stack(options)
    os.environ["LEDGER_TABLE"] = outputs["LedgerTable"]
    os.environ["STATE_MACHINE_ARN"] = outputs["StateMachineArn"]
    return Controller(
        options=options,
        answer_function=outputs["AnswerFunction"],
        readiness_function=outputs["CheckReadinessFunction"],
        operator_function=outputs.get("OperatorFunction", ""),
        operator_url=outputs.get("OperatorUrl", ""),
        book=Ledger(client("dynamodb"), outputs["LedgerTable"]),
        machines={kind: outputs[name] for kind, name in _MACHINES.items() if name in outputs},
    )


def _stack(options: Options) -> dict[str, str]:
    """The outputs of a stack."""
    for name, value in (("AWS_PROFILE", options.profile), ("AWS_REGION", options.region)):
        if value:
            os.environ[name] = value
    region = _region()
    os.environ["AWS_REGION"] = os.environ["AWS_DEFAULT_REGION"] = region
    try:
        (stack,) = boto3.client("cloudformation", region_name=region).describe_stacks(StackName=options.stack)["Stacks"]
    except NoCredentialsError as error:
        raise NotDone(
            f"no AWS credentials were found: {error}", "log in, or say --profile; --drill needs none"
        ) from None
    except (ClientError, BotoCoreError, ValueError) as error:
        raise NotDone(
            f"the stack {options.stack!r} was not found in {region}: {error}",
            "say --stack, --region and --profile of the controller, or --drill for a running drill",
        ) from None
    outputs = {str(output["OutputKey"]): str(output["OutputValue"]) for output in stack.get("Outputs", ())}
    return _whole(outputs, f"the stack {options.stack!r}")


def _region() -> str:
    try:
        region = os.environ.get("AWS_REGION") or boto3.Session().region_name
    except BotoCoreError as error:
        raise NotDone(str(error), "say another --profile, or none") from None
    if region is None:
        raise NotDone("no region is known", "say --region, the standby's, or set AWS_REGION")
    return str(region)


def _drill() -> dict[str, str]:
    """The outputs of the stack in the drill that runs here and was brought up last, or in that of DRILL_DIRECTORY."""
    named = os.environ.get("DRILL_DIRECTORY")
    files = Path(named).glob("controller.json") if named else Path().glob(RUNNING_DRILLS)
    drills = sorted(files, key=lambda path: path.stat().st_mtime, reverse=True)
    for path in drills:
        described = json.loads(path.read_text())
        if _runs(described["pid"]):
            os.environ.update(described["environment"])
            os.environ.pop("AWS_PROFILE", None)
            return _whole(described["outputs"], f"the drill of {path.parent}")
    raise NotDone("no drill runs here", "bring one up with `python -m drill up`, and stand in the same directory")


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _whole(outputs: dict[str, str], of: str) -> dict[str, str]:
    if missing := [name for name in _OUTPUTS if name not in outputs]:
        raise NotDone(
            f"{of} has no output {', '.join(missing)}: it is none of a controller, or of an older one",
            "say --stack of the controller, or deploy this version",
        )
    return outputs
