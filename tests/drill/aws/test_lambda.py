from __future__ import annotations

import json
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from drill.aws.lambda_runtime import IDLE_S
from tests.patience import eventually

from .conftest import Aws


def test_a_handler_gets_its_event_and_answers_json(aws: Aws) -> None:
    error, answer = aws.invoke("test-Step", {"a": [1, None, "é"]})
    assert error is None
    assert answer["event"] == {"a": [1, None, "é"]}


def test_a_warm_worker_is_used_again(aws: Aws) -> None:
    first, second = (aws.invoke("test-Step", {})[1]["pid"] for _ in range(2))
    assert first == second


def test_a_raised_error_is_reported_by_its_name(aws: Aws) -> None:
    error, answer = aws.invoke("test-Step", {"act": "raise"})
    assert error == "Unhandled"
    assert (answer["errorType"], answer["errorMessage"]) == ("LinkUnavailable", "no answer")
    assert any("app.py" in line for line in answer["stackTrace"])
    assert not any("lambda_worker" in line for line in answer["stackTrace"])


def test_a_handler_that_takes_too_long_is_killed(aws: Aws) -> None:
    started = time.monotonic()
    error, answer = aws.invoke("test-Step", {"act": "sleep", "seconds": 30})
    assert error == "Unhandled"
    assert answer["errorType"] == "Sandbox.Timedout"
    assert "Task timed out after 2.00 seconds" in answer["errorMessage"]
    assert time.monotonic() - started < 15
    assert aws.invoke("test-Step", {})[0] is None


def test_a_worker_that_exits_is_an_exit_error_and_the_next_call_works(aws: Aws) -> None:
    error, answer = aws.invoke("test-Step", {"act": "exit"})
    assert error == "Unhandled"
    assert answer["errorType"] == "Runtime.ExitError"
    assert "exit status 3" in answer["errorMessage"]
    assert aws.invoke("test-Step", {})[0] is None


def test_a_worker_killed_in_a_call_is_an_exit_error(aws: Aws) -> None:
    aws.invoke("test-Step", {})
    answers: list[Any] = []
    call = threading.Thread(target=lambda: answers.append(aws.invoke("test-Step", {"act": "sleep", "seconds": 1.0})))
    call.start()
    time.sleep(0.5)
    for pid in aws.drill("workers")["test-Step"]:
        os.kill(pid, signal.SIGKILL)
    call.join()
    error, answer = answers[0]
    assert error == "Unhandled"
    assert (answer["errorType"], "signal: 9" in answer["errorMessage"]) == ("Runtime.ExitError", True)


def test_an_idle_worker_that_was_killed_is_not_used(aws: Aws) -> None:
    pid = aws.invoke("test-Step", {})[1]["pid"]
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not _runs(pid))
    error, answer = aws.invoke("test-Step", {})
    assert error is None
    assert answer["pid"] != pid


def test_what_is_no_json_is_a_marshal_error(aws: Aws) -> None:
    error, answer = aws.invoke("test-Step", {"act": "unserialisable"})
    assert error == "Unhandled"
    assert answer["errorType"] == "Runtime.MarshalError"


def test_decimals_become_numbers(aws: Aws) -> None:
    assert aws.invoke("test-Step", {"act": "decimal"})[1] == {"value": 3, "half": 0.5}


def test_a_module_that_can_not_be_imported_is_an_import_error(aws: Aws) -> None:
    error, answer = aws.invoke("test-Broken", {})
    assert error == "Unhandled"
    assert answer["errorType"] == "Runtime.ImportModuleError"
    assert "nothing_like_it" in answer["errorMessage"]


def test_an_unknown_function_is_refused_by_name(aws: Aws) -> None:
    client = aws.client("lambda")
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.invoke(FunctionName="nobody", Payload=b"{}")


def test_a_worker_sees_its_code_its_layers_and_nothing_of_the_drill(aws: Aws) -> None:
    _, seen = aws.invoke("test-Step", {"act": "path"})
    root = str(aws.root.resolve())
    assert seen["path"][:2] == [f"{root}/step", f"{root}/shared/python"]
    assert not any("site-packages" in entry or str(Path(__file__).parents[3]) == entry for entry in seen["path"])
    assert not any(name.startswith(("drill", "moto", "boto")) and name != "boto3_stand_in" for name in seen["modules"])
    environment = seen["environment"]
    assert environment["PLAN"] == "orders"
    assert environment["TABLE"] == "test-Ledger"
    assert environment["QUEUE"] == "test-Letters"
    assert environment["AWS_REGION"] == "us-west-2"
    assert environment["AWS_ENDPOINT_URL"] == aws.endpoint
    assert "MOTO_PORT" not in environment
    assert "VIRTUAL_ENV" not in environment


def test_a_layer_that_is_built_of_a_package_holds_that_package_alone(aws: Aws) -> None:
    _, seen = aws.invoke("test-Furnished", {})
    assert seen["word"] == "found"
    assert Path(seen["beside"]).name.startswith("layer-of-room")
    assert not any(entry == str(aws.root.resolve()) for entry in seen["path"])


def test_a_bucket_that_refuses_plain_http_can_be_written_over_the_drills(aws: Aws) -> None:
    bucket, s3 = aws.child.ready["resources"]["Reports"]["ref"], aws.client("s3")
    s3.put_object(Bucket=bucket, Key="orders/report.html", Body=b"<html>")
    assert s3.get_object(Bucket=bucket, Key="orders/report.html")["Body"].read() == b"<html>"


def test_the_context_is_that_of_lambda(aws: Aws) -> None:
    _, seen = aws.invoke("test-Step", {"act": "context"})
    assert seen["name"] == "test-Step"
    assert seen["arn"] == "arn:aws:lambda:us-west-2:123456789012:function:test-Step"
    assert seen["memory"] == "128"
    assert 0 < seen["left"] <= 2000
    assert seen["group"] == "/aws/lambda/test-Step"
    assert seen["request_id"] in {each["request_id"] for each in aws.drill("invocations")}


def test_calls_of_a_function_are_counted_as_its_own(aws: Aws) -> None:
    _, seen = aws.invoke("test-Step", {"act": "path"})
    by = seen["environment"]["AWS_SDK_UA_APP_ID"]
    assert by == "test-Step"
    make: Any = boto3.client
    config: Any = Config
    table = make(
        "dynamodb",
        region_name="us-west-2",
        endpoint_url=aws.endpoint,
        aws_access_key_id="x",
        aws_secret_access_key="x",
        config=config(user_agent_appid=by),
    )
    for _ in range(2):
        table.list_tables()
    aws.client("dynamodb").list_tables()
    counted = {(each["function"], each["operation"]): each["calls"] for each in aws.drill("calls")}
    assert counted[by, "DynamoDB_20120810.ListTables"] == 2


def test_two_calls_run_side_by_side_and_more_wait_for_them(aws: Aws) -> None:
    began = time.time()

    def call() -> None:
        aws.invoke("test-Step", {"act": "sleep", "seconds": 1.0})

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    calls = [each for each in aws.drill("invocations") if each["function"] == "test-Step" and each["start"] >= began]
    assert len(calls) == 4
    assert len(aws.drill("workers")["test-Step"]) == 2


@pytest.mark.slow
def test_what_a_burst_started_is_ended_once_it_has_long_been_idle(aws: Aws) -> None:
    calls = [threading.Thread(target=lambda: aws.invoke("test-Step", {"act": "sleep", "seconds": 0.5})) for _ in "12"]
    for each in calls:
        each.start()
    for each in calls:
        each.join()
    assert len(aws.drill("workers")["test-Step"]) == 2
    time.sleep(IDLE_S)
    used = aws.invoke("test-Step", {})[1]["pid"]
    assert aws.drill("workers")["test-Step"] == [used]


def test_an_event_invocation_is_tried_again_and_then_sent_to_its_destination(aws: Aws) -> None:
    aws.letters()
    answer = aws.client("lambda").invoke(
        FunctionName="test-Step", InvocationType="Event", Payload=json.dumps({"act": "raise", "mark": "async"})
    )
    assert answer["StatusCode"] == 202
    record = json.loads(eventually(aws.letters)[0]["Body"])
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 2
    assert record["requestPayload"]["mark"] == "async"
    assert record["responsePayload"]["errorType"] == "LinkUnavailable"


@pytest.mark.slow
def test_workers_end_with_the_process_that_started_them(tmp_path: Path) -> None:
    from .conftest import start_aws, write_stack

    write_stack(tmp_path)
    aws = start_aws(tmp_path)
    pid = aws.invoke("test-Step", {})[1]["pid"]
    aws.child.kill()
    eventually(lambda: not _runs(pid))


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
