"""Where EventBridge, its Scheduler and Lambda's destinations deliver to, by ARN."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping

from botocore.exceptions import BotoCoreError, ClientError

from drill.aws.clients import Clients
from drill.aws.lambda_functions import UnknownFunction
from drill.aws.regions import Regions

_GONE = ("NotFound", "DoesNotExist", "NonExistent")


class Undeliverable(RuntimeError):
    """A target did not take what was sent to it. `for_good` if trying again can't help."""

    def __init__(self, arn: str, code: str, message: str, *, for_good: bool) -> None:
        super().__init__(f"{arn} did not take it: {code}: {message}")
        self.code = code
        self.message = message
        self.for_good = for_good


class Targets:
    """Delivers to functions, state machines, topics, queues and event buses.

    `invoke_async` takes a function's ARN and an event, `put_on_bus` a bus's ARN and an event.
    """

    def __init__(self, clients: Clients, regions: Regions) -> None:
        self._clients = clients
        self._regions = regions
        self.invoke_async: Callable[[str, bytes], None] | None = None
        self.put_on_bus: Callable[[str, str], None] | None = None

    def send(self, arn: str, body: str, attributes: Mapping[str, str] | None = None, group: str | None = None) -> None:
        """Deliver `body` (JSON text) to a target once.

        `attributes` are message attributes, for queues and topics; `group` is a FIFO queue's message group.

        Raises:
            Undeliverable: if the target isn't there, its region is lost, or it refuses.
        """
        _, _, service, region, _, _ = arn.split(":", 5)
        if self._regions.is_lost(region, service):
            raise Undeliverable(arn, "SDK_CLIENT_ERROR", f"region {region} does not answer", for_good=False)
        try:
            self._send(service, region, arn=arn, body=body, attributes=dict(attributes or {}), group=group)
        except UnknownFunction as error:
            raise Undeliverable(arn, "RESOURCE_NOT_FOUND", str(error), for_good=True) from error
        except ClientError as error:
            code = str(error.response["Error"]["Code"])
            gone = any(word in code for word in _GONE)
            raise Undeliverable(arn, "RESOURCE_NOT_FOUND" if gone else code, str(error), for_good=gone) from error
        except BotoCoreError as error:
            raise Undeliverable(arn, "SDK_CLIENT_ERROR", str(error), for_good=False) from error

    def _send(
        self, service: str, region: str, arn: str, body: str, attributes: dict[str, str], group: str | None
    ) -> None:
        message = {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()}
        if service == "lambda" and self.invoke_async is not None:
            self.invoke_async(arn, body.encode())
        elif service == "events" and self.put_on_bus is not None:
            self.put_on_bus(arn, body)
        elif service == "states":
            states = self._clients.of("stepfunctions", region)
            states.start_execution(stateMachineArn=arn, name=str(uuid.uuid4()), input=body)
        elif service == "sns":
            self._clients.of("sns", region).publish(TopicArn=arn, Message=body, MessageAttributes=message)
        elif service == "sqs":
            account, name = arn.split(":")[4:]
            url = f"{self._clients.endpoint}/{account}/{name}"
            fifo = {"MessageGroupId": group} if group else {}
            sqs = self._clients.of("sqs", region)
            sqs.send_message(QueueUrl=url, MessageBody=body, MessageAttributes=message, **fifo)
        else:
            raise Undeliverable(arn, "INVALID_TARGET", f"no target of service {service} in the drill", for_good=True)


def dead_letter_attributes(error: Undeliverable, **more: str) -> dict[str, str]:
    """The message attributes of a dead letter, as EventBridge and its Scheduler set them."""
    return {"ERROR_CODE": error.code, "ERROR_MESSAGE": error.message[:1024], **more}


def as_json(text: str) -> str:
    """`text` if it is JSON already, else a JSON string of it."""
    try:
        json.loads(text)
    except ValueError:
        return json.dumps(text)
    return text
