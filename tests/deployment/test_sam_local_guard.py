"""A function under `sam local` that was led to no rehearsal refuses at once, by name, before it can call anybody."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml

from failover.errors import RealAwsRefused, Refused
from failover.sam_local import refuse_real_aws
from tests.deployment.templates import ROOT, Loader

TEMPLATES = {path.name: yaml.load(path.read_text(), Loader=Loader) for path in sorted(ROOT.glob("*.yaml"))}
FUNCTIONS = [
    pytest.param(template, properties, id=f"{file}-{name}")
    for file, template in TEMPLATES.items()
    for name, resource in template["Resources"].items()
    for properties in [resource["Properties"]]
    if resource["Type"] in ("AWS::Serverless::Function", "AWS::Lambda::Function")
]
IMPORT = """
import json, sys
try:
    import app
    error = None
except Exception as raised:
    error = type(raised).__name__, str(raised)
can_call = sorted({"socket", "ssl", "boto3", "botocore.session", "httpx", "confluent_kafka"} & set(sys.modules))
print(json.dumps({"error": error, "can_call": can_call}))
"""


def environment_of(template: dict[str, Any], function: dict[str, Any]) -> dict[str, Any]:
    """The variables that a template defines for a function, of its own and in common."""
    common = template.get("Globals", {}).get("Function", {}).get("Environment", {}).get("Variables", {})
    return dict(common | function.get("Environment", {}).get("Variables", {}))


def imported(function: dict[str, Any], variables: dict[str, str]) -> dict[str, Any]:
    """What importing a function's module ends with, in a process that has only these variables."""
    path = os.pathsep.join(str(ROOT / entry) for entry in (function["CodeUri"], "layers/failover/python"))
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": path, "AWS_DEFAULT_REGION": "us-west-2"} | variables
    result = subprocess.run(
        [sys.executable, "-c", IMPORT], env=environment, capture_output=True, text=True, check=True, cwd=Path("/")
    )
    return dict(json.loads(result.stdout))


@pytest.mark.parametrize(("template", "function"), FUNCTIONS)
def test_every_function_can_be_led_to_a_rehearsal_and_is_led_nowhere_by_its_template(
    template: dict[str, Any], function: dict[str, Any]
) -> None:
    variables = environment_of(template, function)
    assert (variables["AWS_ENDPOINT_URL"], variables["ALLOW_REAL_AWS"]) == ("", "")


@pytest.mark.parametrize(("template", "function"), FUNCTIONS)
def test_every_function_refuses_under_sam_local_before_it_has_anything_to_call_with(
    template: dict[str, Any], function: dict[str, Any]
) -> None:
    variables = {name: value for name, value in environment_of(template, function).items() if isinstance(value, str)}
    result = imported(function, variables | {"AWS_SAM_LOCAL": "true"})
    name, message = result["error"]
    assert name == "RealAwsRefused"
    assert "AWS_ENDPOINT_URL in the --env-vars file" in message
    assert "ALLOW_REAL_AWS" in message
    assert result["can_call"] == []


@pytest.mark.parametrize(
    "variables",
    [
        pytest.param({"AWS_SAM_LOCAL": "true", "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, id="a rehearsal"),
        pytest.param({"AWS_SAM_LOCAL": "true", "ALLOW_REAL_AWS": "yes"}, id="the real account is meant"),
        pytest.param({"AWS_ENDPOINT_URL": "", "ALLOW_REAL_AWS": ""}, id="on Lambda"),
    ],
)
def test_a_function_works_where_it_is_meant_to(variables: dict[str, str]) -> None:
    function = TEMPLATES["template.yaml"]["Resources"]["Claim"]["Properties"]
    assert imported(function, {"LEDGER_TABLE": "ledger"} | variables)["error"] is None


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"AWS_ENDPOINT_URL": "", "ALLOW_REAL_AWS": ""},
        {"AWS_ENDPOINT_URL": " "},
        {"ALLOW_REAL_AWS": "false"},
        {"ALLOW_REAL_AWS": "0"},
        {"AWS_ENDPOINT_URL_SSM": "http://127.0.0.1:9"},
    ],
)
def test_neither_is_given_by_an_empty_variable_nor_by_a_no_nor_by_one_services_endpoint(
    variables: dict[str, str],
) -> None:
    with pytest.raises(RealAwsRefused) as refused:
        refuse_real_aws({"AWS_SAM_LOCAL": "true"} | variables)
    assert isinstance(refused.value, Refused)


@pytest.mark.parametrize("service", ["dynamodb", "ssm", "route53", "events", "stepfunctions"])
def test_an_empty_endpoint_is_the_real_one_to_the_sdk(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "")
    client = boto3.client(service, region_name="us-west-2")  # type: ignore[call-overload]
    assert client.meta.endpoint_url.endswith(".amazonaws.com")
