"""The drill's Lambda runs no more at once than an account of a hundred may, and refuses the rest as Lambda does."""

from __future__ import annotations

from contextlib import ExitStack
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from botocore.parsers import create_parser
from botocore.session import get_session

from drill.aws.concurrency import AT_ONCE, Concurrency, TooManyRequests
from drill.aws.lambda_async import AsyncInvoker
from drill.aws.lambda_functions import Function
from drill.aws.lambda_runtime import Invoked
from drill.aws.regions import Regions
from drill.aws.server import Door

JUDGE = Function(
    name="judge",
    arn="arn:aws:lambda:us-west-2:1:function:judge",
    region="us-west-2",
    handler="app.handler",
    code=Path(),
)


class Runtime:
    """Refuses so many invocations before it takes one."""

    def __init__(self, refusals: int) -> None:
        self.refusals, self.taken = refusals, 0

    def find(self, _: str) -> Function:
        return JUDGE

    def invoke(self, *_: Any) -> Invoked:
        if self.refusals:
            self.refusals -= 1
            raise TooManyRequests
        self.taken += 1
        return Invoked(b"{}")


def test_a_region_runs_a_hundred_functions_at_once_and_one_more_once_one_has_ended() -> None:
    account = Concurrency()
    with ExitStack() as running:
        for _ in range(100):
            running.enter_context(account.one_more("us-west-2"))
        with pytest.raises(TooManyRequests), account.one_more("us-west-2"):
            pass
        with account.one_more("us-east-2"):
            pass
    with account.one_more("us-west-2"):
        pass
    assert AT_ONCE == 100


def test_who_waits_for_an_answer_is_refused_by_the_name_that_state_machines_retry() -> None:
    door = _door(Runtime(refusals=1))
    answered: dict[str, Any] = {}

    def start_response(status: str, headers: list[tuple[str, str]]) -> None:
        answered.update(status_code=int(status.split()[0]), headers={name.lower(): value for name, value in headers})

    invoke = {"REQUEST_METHOD": "POST", "PATH_INFO": "/2015-03-31/functions/judge/invocations"}
    answered["body"] = b"".join(door(invoke | {"wsgi.input": BytesIO()}, start_response))
    shape: Any = get_session().get_service_model("lambda").operation_model("Invoke").output_shape
    parsed = create_parser("rest-json").parse(answered, shape)
    assert (answered["status_code"], parsed["Error"]["Code"]) == (429, "TooManyRequestsException")


def test_an_event_that_is_throttled_waits_and_has_its_attempts_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("drill.aws.lambda_async.time.sleep", slept.append)
    runtime: Any = Runtime(refusals=11)
    AsyncInvoker(runtime, pytest.fail)._run(JUDGE, b"{}")
    assert runtime.taken == 1
    assert slept == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 300.0, 300.0]


def _door(runtime: Any) -> Door:
    def nothing(*_: Any) -> Any:
        raise AssertionError("no other service is asked")

    return Door(nothing, Regions(), runtime=runtime, invoker=nothing, reports={}, start_schedules=nothing)  # type: ignore[arg-type]
