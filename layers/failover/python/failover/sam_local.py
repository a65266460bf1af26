"""The guard of `sam local`: a function on somebody's own machine works on a rehearsal, or not at all.

SAM hands a function only those variables that its template defines, and drops the others without a word: a function
that was to work on a rehearsal would then act on the account of the shell's credentials.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from failover.errors import RealAwsRefused

_NO = {"", "0", "false", "no", "off"}


def refuse_real_aws(environment: Mapping[str, str] = os.environ) -> None:
    """Do nothing on Lambda, under a drill, or where the real account is meant.

    `AWS_SAM_LOCAL` is set by the SAM CLI. An empty `AWS_ENDPOINT_URL` is none, as it is to botocore.

    Raises:
        RealAwsRefused: under `sam local`, with neither an endpoint of AWS's API nor leave to use the real one.
    """
    if environment.get("AWS_SAM_LOCAL", "").strip().lower() in _NO:
        return
    if environment.get("AWS_ENDPOINT_URL", "").strip():
        return
    if environment.get("ALLOW_REAL_AWS", "").strip().lower() not in _NO:
        return
    raise RealAwsRefused(
        "sam local: AWS_ENDPOINT_URL is empty, so this function would act on the real account of the shell's "
        "credentials; nothing was called. Give a rehearsal's endpoint as AWS_ENDPOINT_URL in the --env-vars file; or, "
        "if the real account is meant, ALLOW_REAL_AWS=yes"
    )
