"""The account of a drill is one process among two dozen: it holds nothing large that the drill never looks at."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import botocore
import pytest
from botocore.regions import EndpointResolver

from drill.aws import sdk_data
from tests.deployment.templates import ROOT

PROBE = """
import drill.aws.machine
from moto.ec2.models import amis, instance_types
print(len(amis.AMIS), len(instance_types.INSTANCE_TYPES))
"""


@pytest.mark.slow
def test_the_account_has_no_tables_of_instance_types() -> None:
    command = [sys.executable, "-c", PROBE]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["0", "0"]


@pytest.mark.parametrize("region", ["us-east-1", "us-west-2", "eu-central-1"])
def test_a_call_is_signed_as_with_all_that_the_sdk_knows(region: str, tmp_path: Path) -> None:
    (directory,) = sdk_data.lead_to(tmp_path / "sdk").values()
    own = Path(directory) / "endpoints.json"
    of_sdk = Path(botocore.__file__).parent / "data" / "endpoints.json"
    assert own.stat().st_size < of_sdk.stat().st_size / 20
    resolvers = [EndpointResolver(json.loads(path.read_text())) for path in (own, of_sdk)]
    for service in sdk_data.SERVICES:
        ours, theirs = (resolver.construct_endpoint(service, region) for resolver in resolvers)
        assert ours == theirs, service
