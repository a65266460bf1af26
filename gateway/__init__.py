"""The container-hosted Confluent Gateway fleets of a plan: their configuration, and templates to run them.

A tool for platform teams, not part of the Lambda functions. It reads the plan with the functions' own layer, so that
both refuse the same plans.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

LAYER = Path(__file__).resolve().parent.parent / "layers" / "failover" / "python"

if find_spec("failover") is None:  # Lambda puts the layer on the path; here it lies beside this package
    sys.path.append(str(LAYER))
