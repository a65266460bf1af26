"""The services of one account, but for those with a file of their own: a method an operation, by its name on the
wire."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from drill.deployment import plan_item
from simulation.aws.cloudwatch import CloudWatch
from simulation.aws.dynamodb import Table
from simulation.aws.ecs import Ecs
from simulation.aws.errors import ApiError, NotSimulated
from simulation.aws.s3 import S3
from simulation.deployment import EXPRESS
from simulation.machine.execution import Execution, State, Surroundings, Token
from simulation.machine.expressions import StateError
from simulation.regions import at_home
from simulation.scheduler import Scheduler
from simulation.sites import Sites

Answer = dict[str, Any]


@dataclass(frozen=True)
class Message:
    """What people were told; `at`: seconds since 1970."""

    at: float
    subject: str
    text: str


class Account:
    """AWS as the controller sees it."""

    def __init__(self, scheduler: Scheduler, sites: Sites, table: Table, tell: Callable[[str], None]) -> None:
        self._clock = scheduler
        self._sites = sites
        self._table = table
        self._tell = tell
        self.ecs = Ecs(scheduler, sites, tell)
        self.s3 = S3()
        self.cloudwatch = CloudWatch()
        self.operations: dict[str, Callable[[Answer], Answer]] = {}
        """Those that only some plans need, by service and operation."""
        self.secrets: dict[str, str] = {}
        self.messages: list[Message] = []
        self.events: list[tuple[float, str, str]] = []
        """When, detail type and detail of each event on the bus."""
        self.executions: dict[str, Execution] = {}
        """By ARN."""
        self.machines: Mapping[str, State] = {}
        """The definition of each state machine, by ARN."""
        self.around: Callable[[str], Surroundings]
        """What an execution calls in a region."""
        self.tokens: Mapping[str, Token] = {}
        self.invoke_later: Callable[[str, dict[str, Any]], None]
        """Calls a function that nobody waits for."""

    def call(self, service: str, region: str, operation: str, request: Answer) -> Answer:
        """Carry an operation out.

        Raises:
            ApiError: what the service answers instead.
        """
        if service == "dynamodb":
            return self._table.call(operation, request)
        if service == "ecs":
            return self.ecs.call(region, operation, request)
        if service == "s3":
            return self.s3.call(operation, request)
        if service == "cloudwatch":
            return self.cloudwatch.call(region, operation, request)
        method = self.operations.get(f"{service} {operation}") or getattr(
            self, f"_{service.replace('-', '')}_{operation}".lower(), None
        )
        if method is None:
            raise NotSimulated(f"{service} {operation}")
        return method(request)

    def put_plan(self, name: str, text: str) -> None:
        """Deploy a plan, in place of the one of that name."""
        self._table.call("PutItem", {"Item": plan_item(name, text)})

    def plan_text(self, name: str) -> str:
        """The deployed plan of that name."""
        item = plan_item(name, "")
        stored = self._table.call("GetItem", {"Key": {key: item[key] for key in ("pk", "sk")}})["Item"]
        return gzip.decompress(stored["document"]["B"]).decode()

    def start(self, name: str, text: str, machine: str) -> str:
        """Start an execution, or find the same one running; its ARN."""
        arn = f"{machine.replace(':stateMachine:', ':execution:')}:{name}"
        before = self.executions.get(arn)
        if before is None:
            self._tell(f"execution {name} starts: {text}")
            self.executions[arn] = Execution(
                self.around(arn.split(":")[3]), self.machines[at_home(machine)], arn=arn, input_text=text
            )
        elif not before.running or before.input_text != text:
            raise ApiError("ExecutionAlreadyExists", f"Execution Already Exists: '{arn}'")
        return arn

    def _moment(self, seconds: float) -> datetime:
        return datetime.fromtimestamp(seconds, UTC)

    # Step Functions

    def _stepfunctions_startexecution(self, request: Answer) -> Answer:
        machine = request["stateMachineArn"]
        name = request.get("name") or f"{self._clock.random.getrandbits(128):032x}"
        if at_home(machine) in EXPRESS:
            arn = f"{machine.replace(':stateMachine:', ':express:')}:{name}"
            Execution(
                self.around(arn.split(":")[3]), self.machines[at_home(machine)], arn=arn, input_text=request["input"]
            )
            return {"executionArn": arn, "startDate": self._moment(self._clock.now)}
        arn = self.start(name, request["input"], machine)
        return {"executionArn": arn, "startDate": self._moment(self.executions[arn].started)}

    def _stepfunctions_describeexecution(self, request: Answer) -> Answer:
        execution = self.executions.get(request["executionArn"])
        if execution is None:
            raise ApiError("ExecutionDoesNotExist", f"Execution Does Not Exist: '{request['executionArn']}'")
        stopped = {} if execution.stopped is None else {"stopDate": self._moment(execution.stopped)}
        return {
            "executionArn": execution.arn,
            "name": execution.name,
            "stateMachineArn": execution.arn.replace(":execution:", ":stateMachine:").rpartition(":")[0],
            "status": execution.status,
            "startDate": self._moment(execution.started),
            "input": execution.input_text,
            "redriveCount": execution.redrives,
        } | stopped

    def _stepfunctions_sendtasksuccess(self, request: Answer) -> Answer:
        self._waiting(request["taskToken"]).succeed(json.loads(request["output"]))
        return {}

    def _stepfunctions_sendtaskfailure(self, request: Answer) -> Answer:
        self._waiting(request["taskToken"]).fail(StateError(request.get("error", ""), request.get("cause", "")))
        return {}

    def _waiting(self, name: str) -> Token:
        token = self.tokens.get(name)
        if token is None:
            raise ApiError("InvalidToken", "Invalid token")
        if not token.open or token.answered.happened:
            raise ApiError("TaskTimedOut", "Task Timed Out: the task is over")
        return token

    # Lambda

    def _lambda_invoke(self, request: Answer) -> Answer:
        self.invoke_later(request["FunctionName"], json.loads(request["Payload"]))
        return {"StatusCode": 202}

    # What the account may have

    def _servicequotas_getservicequota(self, request: Answer) -> Answer:
        return {"Quota": {"ServiceCode": request["ServiceCode"], "QuotaCode": request["QuotaCode"], "Value": 64.0}}

    def _iam_getaccountsummary(self, request: Answer) -> Answer:
        return {"SummaryMap": {"Roles": 45, "RolesQuota": 1000}}

    def _route53_getaccountlimit(self, request: Answer) -> Answer:
        return {"Limit": {"Type": request["Type"], "Value": 200}, "Count": 0}

    # Secrets Manager

    def _secretsmanager_getsecretvalue(self, request: Answer) -> Answer:
        if (text := self.secrets.get(request["SecretId"])) is None:
            raise ApiError("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
        return {"Name": request["SecretId"], "SecretString": text}

    # SNS, EventBridge

    def _sns_publish(self, request: Answer) -> Answer:
        self.messages.append(Message(self._clock.now, request["Subject"], json.loads(request["Message"])["sqs"]))
        self._tell(f"people are told: {request['Subject']}")
        return {"MessageId": "00000000-0000-0000-0000-000000000000"}

    def _events_putevents(self, request: Answer) -> Answer:
        self.events += [(self._clock.now, each["DetailType"], each["Detail"]) for each in request["Entries"]]
        return {"FailedEntryCount": 0, "Entries": [{"EventId": "e"} for _ in request["Entries"]]}

    # Route 53

    def _route53_listresourcerecordsets(self, request: Answer) -> Answer:
        name, value = f"{self._sites.hostname}.", self._sites.record
        record = {"Name": name, "Type": "CNAME", "TTL": 5, "ResourceRecords": [{"Value": value}]}
        return {"ResourceRecordSets": [record], "IsTruncated": False, "MaxItems": "10"}

    def _route53_gethostedzone(self, request: Answer) -> Answer:
        zone = {"Id": request["Id"], "Name": "orders.example.com.", "CallerReference": "simulation"}
        return {"HostedZone": zone, "DelegationSet": {"NameServers": ["ns-1.example.net", "ns-2.example.net"]}}

    def _route53_changeresourcerecordsets(self, request: Answer) -> Answer:
        (change,) = request["ChangeBatch"]["Changes"]
        target = change["ResourceRecordSet"]["ResourceRecords"][0]["Value"]
        name = self._sites.point_name_at(target)
        self._tell(f"the record of {self._sites.hostname} leads to {target}")
        return {
            "ChangeInfo": {"Id": f"/change/{name}", "Status": "PENDING", "SubmittedAt": self._moment(self._clock.now)}
        }

    def _route53_getchange(self, request: Answer) -> Answer:
        name = request["Id"].rpartition("/")[2]
        in_sync = self._sites.changes[name] <= self._clock.now
        info = {"Id": f"/change/{name}", "Status": "INSYNC" if in_sync else "PENDING"}
        return {"ChangeInfo": info | {"SubmittedAt": self._moment(self._clock.now)}}
