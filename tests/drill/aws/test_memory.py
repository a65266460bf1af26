"""The account of a drill is one process among two dozen: it holds nothing large that the drill never looks at."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.deployment.test_template import ROOT

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
