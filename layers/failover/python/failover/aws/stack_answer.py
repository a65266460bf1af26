"""Answering CloudFormation, which waits for what came of a custom resource at a URL that it signed
(https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-responses.html)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import httpx

from failover.errors import ServiceUnavailable

ANSWER_S: Final = 5.0


def send_answer(url: str, answer: Mapping[str, Any]) -> None:
    """Put the answer at the URL, which stays out of logs and errors: who has it may answer.

    Raises:
        ServiceUnavailable: it was not taken.
    """
    body = json.dumps(answer, ensure_ascii=False).encode()
    try:
        with httpx.Client(transport=httpx.HTTPTransport(retries=2), timeout=ANSWER_S) as connection:
            connection.put(url, content=body, headers={"Content-Type": ""}).raise_for_status()
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ServiceUnavailable(
            f"CloudFormation did not take the answer about {answer['LogicalResourceId']}: {type(error).__name__}"
        ) from None
