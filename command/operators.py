"""What only a plan's operators may do, asked of the controller: at its URL, where IAM verifies who asks."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any, Final

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from command.controller import Controller
from command.errors import NotDone

ANSWERS_WITHIN_S: Final = 25
"""A little longer than the function runs."""
DRILL_CALLER: Final = "arn:aws:sts::123456789012:assumed-role/Drill/operator"
"""Who asks in a drill: its account has no IAM that could verify anybody."""


def ask(controller: Controller, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """What the controller answers an operator.

    Raises:
        NotDone: it could not be asked, or refused.
    """
    text = json.dumps(dict(body))
    if controller.options.drill:
        answer = controller.invoke(controller.operator_function, _as_of_a_url(path, text))
        status, document = answer["statusCode"], json.loads(answer["body"])
    else:
        status, document = _post(controller, path, text)
    if status != 200:
        why = document.get("why") or document.get("Message") or f"HTTP {status}"
        error = document.get("error")
        raise NotDone(f"{error}: {why}" if error else why, "docs/operate.md says of each error what to do")
    return dict(document)


def _post(controller: Controller, path: str, text: str) -> tuple[int, dict[str, Any]]:
    # Not at the top: every command would wait for it, and few of them ask.
    import httpx

    if not controller.operator_url:
        raise NotDone("this controller has no URL for operators: it is an older one", "deploy this version")
    session = boto3.Session()
    credentials = session.get_credentials()
    if credentials is None:
        raise NotDone("no AWS credentials were found", "log in, or say another --profile")
    url = f"{controller.operator_url.rstrip('/')}{path}"
    request = AWSRequest("POST", url, data=text, headers={"Content-Type": "application/json"})
    SigV4Auth(credentials, "lambda", os.environ["AWS_REGION"]).add_auth(request)
    try:
        response = httpx.post(url, content=text, headers=dict(request.headers), timeout=ANSWERS_WITHIN_S)
        document = response.json()
    except (httpx.HTTPError, ValueError) as error:
        raise NotDone(
            f"{url} did not answer: {error}", "say it again; what was done already is not done twice"
        ) from None
    return response.status_code, document if isinstance(document, dict) else {}


def _as_of_a_url(path: str, text: str) -> dict[str, Any]:
    """What Lambda hands over of a request to a function's URL."""
    context = {"authorizer": {"iam": {"userArn": DRILL_CALLER}}, "http": {"method": "POST", "path": path}}
    return {"version": "2.0", "rawPath": path, "requestContext": context, "body": text, "isBase64Encoded": False}
